import type { Query } from '../../db/query.ts'
import { quoteIdentifier } from '../../protocol/index.ts'
import type { AppSchema } from './app-schema.ts'
import { UNRETYPED } from './plan-migration.ts'
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

/** Lists the columns in which Postgres holds values that their retype would have made others, so that work was not. */
export async function findUnretyped({ tables }: AppSchema, query: Query): Promise<string[]> {
  const violations: string[] = []
  for (const { name, columns } of tables)
    for (const { name: column, type } of columns) {
      const isUnretyped = UNRETYPED[type]
      if (isUnretyped === undefined) continue
      const quoted = quoteIdentifier(column)
      const found = await query(
        `SELECT ${quoted}::text AS value FROM public.${quoteIdentifier(name)} WHERE ${isUnretyped(quoted)} LIMIT 3`,
      )
      if (found.length > 0)
        violations.push(`Column ${column} of ${name} is ${type} and holds values from before: ${JSON.stringify(found)}`)
    }
  return violations
}
