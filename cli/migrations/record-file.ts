import { z } from 'zod'
import { IS_OF_APP } from '../../db/definition/record-bundles.ts'
import type { Query } from '../../db/query.ts'
import { hashOf, isOwnFile, type MigrationFile } from './migration-file.ts'

const statementsSchema = z.object({
  name: z.string(),
  statements: z.array(
    z.object({ text: z.string(), parameters: z.array(z.union([z.string(), z.number(), z.boolean(), z.null()])) }),
  ),
})

/** Puts a file on record in the transaction that ran it: what it did, what takes it back, and after which it came. */
export async function recordFile(query: Query, file: MigrationFile): Promise<void> {
  if (isOwnFile(file.name)) {
    // The first of these make the table and its columns.
    await query('INSERT INTO tidemark.app_migration (name, hash) VALUES ($1, $2)', [file.name, file.hash])
    return
  }
  const down = file.down ?? null
  await query(
    `INSERT INTO tidemark.app_migration (name, hash, up, down, version, after)
     SELECT $1, $2, $3::jsonb, $4::jsonb, (SELECT max(version) FROM tidemark.sync_definition),
       (SELECT max(name COLLATE "C") FROM tidemark.app_migration WHERE ${IS_OF_APP})`,
    [file.name, file.hash, toRecord(file), down === null ? null : toRecord(down)],
  )
}

/** Puts a file on record that ran before Tidemark came: `up` says that nothing was run here. */
export async function recordBaseline(query: Query, file: MigrationFile): Promise<void> {
  await recordFile(query, { ...file, statements: [] })
  await query(`UPDATE tidemark.app_migration SET up = up || '{"baseline": true}', version = NULL WHERE name = $1`, [
    file.name,
  ])
}

/** Reads what the record says takes a migration back; null where it says nothing. */
export async function readRecordedDown(query: Query, name: string): Promise<MigrationFile | null> {
  const [row] = await query('SELECT down::text AS down FROM tidemark.app_migration WHERE name = $1', [name])
  if (row?.down == null) return null
  const recorded = statementsSchema.parse(JSON.parse(row.down))
  const statements = recorded.statements.map(({ text }) => text)
  const parameters = recorded.statements.map((one) => one.parameters)
  return { name: recorded.name, hash: hashOf(statements.join('\n')), statements, parameters, compatibility: null }
}

function toRecord({ name, statements, parameters }: MigrationFile): string {
  return JSON.stringify({
    name,
    statements: statements.map((text, index) => ({ text, parameters: parameters?.[index] ?? [] })),
  })
}
