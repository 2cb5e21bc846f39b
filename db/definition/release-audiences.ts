import * as z from 'zod/mini'
import { quoteIdentifier } from '../../protocol/index.ts'
import type { Query } from '../query.ts'
import type { DeclaredTable } from './declared-table.ts'
import { KEPT_KEY, KEPT_TRIGGER } from './kept-audience-sql.ts'

const foundSchema = z.object({
  triggers: z.array(z.object({ table: z.string(), name: z.string() })),
  keys: z.array(z.string()),
})

/** The OID of the table whose audience is kept stands in the name of a trigger on its parent. */
const LEFT = `
  WITH kept AS (
    SELECT c.oid FROM json_to_recordset($1::json) AS wanted(schema text, name text)
    JOIN pg_namespace n ON n.nspname = wanted.schema JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = wanted.name)
  SELECT json_build_object(
    'triggers', coalesce((SELECT json_agg(json_build_object('table', g.tgrelid::regclass::text, 'name', g.tgname::text))
      FROM pg_trigger g WHERE g.tgname >= '${KEPT_TRIGGER}' AND g.tgname < '${KEPT_TRIGGER}~'
        AND coalesce(substring(g.tgname FROM '_(\\d+)(?:_later)?$')::oid, g.tgrelid) NOT IN (SELECT oid FROM kept)), '[]'),
    'keys', coalesce((SELECT json_agg(k.conrelid::regclass::text) FROM pg_constraint k
      WHERE k.conname = '${KEPT_KEY}' AND k.contype = 'f' AND k.conrelid NOT IN (SELECT oid FROM kept)), '[]'))::text AS found`

/**
 * Takes triggers and foreign keys from tables whose audience is no longer kept, so that they stand in nobody's way. The
 * columns stay, for whoever reads them still; `tidemark remove --unused` takes them.
 */
export async function releaseAudiences(
  query: Query,
  ddl: (statement: string) => Promise<unknown>,
  tables: readonly DeclaredTable[],
): Promise<string[]> {
  const kept = tables.filter((table) => table.kept !== null).map(({ schema, name }) => ({ schema, name }))
  const [row] = await query(LEFT, [JSON.stringify(kept)])
  const { triggers, keys } = foundSchema.parse(JSON.parse(row?.found ?? '{}'))
  for (const table of keys) await ddl(`ALTER TABLE ${table} DROP CONSTRAINT ${quoteIdentifier(KEPT_KEY)}`)
  for (const { table, name } of triggers) await ddl(`DROP TRIGGER ${quoteIdentifier(name)} ON ${table}`)
  const own = triggers.filter(({ name }) => name === KEPT_TRIGGER)
  return own.map(
    ({ table }) => `The audience of rows of ${table} is no longer kept; tidemark remove --unused takes its column.`,
  )
}
