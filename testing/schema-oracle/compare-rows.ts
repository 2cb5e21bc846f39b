import type { Query } from '../../db/query.ts'
import { quoteIdentifier } from '../../protocol/index.ts'
import type { AppSchema } from './app-schema.ts'
import type { SchemaWriter } from './schema-writer.ts'

/** Lists the tables in which a replica shows other rows than its audiences have in Postgres; for use in a transaction. */
export async function compareRows(
  { replica, options }: SchemaWriter,
  { tables }: AppSchema,
  query: Query,
): Promise<string[]> {
  const violations: string[] = []
  await query(`SET LOCAL TimeZone = 'UTC'`)
  for (const { name, columns, audience } of tables) {
    const shown = ['id', 'org', 'team', ...columns.filter(({ hidden }) => !hidden).map((one) => one.name)]
    const list = shown.map((one) => `${quoteIdentifier(one)}::text`).join(', ')
    const rows = `SELECT json_build_array(${list})::text AS row FROM public.${quoteIdentifier(name)}`
    const expected = await query(`${rows} WHERE ${audience} = ANY ($1::text[]) ORDER BY id`, [
      `{${options.orgs.join()}}`,
    ])
    const held = await replica.db.transaction(async (tx) => {
      await tx.exec(`SET LOCAL TimeZone = 'UTC'`)
      return (await tx.query<{ row: string }>(`${rows} ORDER BY id`)).rows
    })
    if (JSON.stringify(held) !== JSON.stringify(expected))
      violations.push(
        `${options.name} differs from Postgres in ${name}\n  Postgres: ${JSON.stringify(expected)}\n  replica: ${JSON.stringify(held)}`,
      )
  }
  return violations
}
