import { definitionFault, parseDefinitionRow } from '../../db/definition/definition-in-force.ts'
import type { Query } from '../../db/query.ts'
import {
  type Definition,
  formatPgLsn,
  type Lsn,
  type NamedVersion,
  quoteTable,
  type TableDefinition,
  TidemarkError,
} from '../../protocol/index.ts'

/** A place in history: after this LSN, or at this time in ms since 1970. */
export type HistoryPlace = { readonly lsn: Lsn } | { readonly timeMs: number }

/** A definition, and all that came in force after it, in order. */
interface VersionsSince {
  readonly was: Definition
  readonly later: readonly NamedVersion[]
}

const MOST_VERSIONS = 200
const VERSION_AT = `
  SELECT coalesce((
      SELECT h.data ->> 'version' FROM tidemark.change_history h
      WHERE h.epoch = e.id AND h.audience IS NULL AND h.operation = 'definition'
        AND h.lsn <= coalesce($2::pg_lsn, 'FFFFFFFF/FFFFFFFF') AND h.committed_at <= coalesce($3::timestamptz, 'infinity')
      ORDER BY h.lsn DESC, h.seq DESC LIMIT 1), e.definition_version::text) AS version
  FROM tidemark.epoch e WHERE e.id = $1`
const VERSIONS = `
  SELECT d.version::text, d.hash, d.definition::text FROM tidemark.sync_definition d
  WHERE d.version >= $1::bigint ORDER BY d.version LIMIT ${MOST_VERSIONS + 2}`

/** Answers the version of the definition that was in force at a place of an epoch. */
export async function readVersionAt(query: Query, epoch: string, place: HistoryPlace): Promise<number> {
  const [lsn, time] = 'lsn' in place ? [formatPgLsn(place.lsn), null] : [null, new Date(place.timeMs).toISOString()]
  const [row] = await query(VERSION_AT, [epoch, lsn, time])
  return Number(row?.version)
}

/** Reads a version and those after it. Throws `limit-exceeded` where they are too many to compare. */
export async function readVersionsSince(query: Query, version: number): Promise<VersionsSince> {
  const rows = await query(VERSIONS, [version])
  if (rows.length > MOST_VERSIONS + 1)
    throw new TidemarkError('limit-exceeded', `The schema changed more than ${MOST_VERSIONS} times since.`)
  // One that nobody can read never came in force.
  const read = rows.flatMap((row) =>
    definitionFault(JSON.parse(row.definition ?? 'null')) === null ? [parseDefinitionRow(row)] : [],
  )
  const [first, ...later] = read.map(({ definition, steps = [], names = [] }) => ({
    definition,
    steps: [...steps],
    names: [...names],
  }))
  if (!first) throw new TidemarkError('unavailable', 'No definition is stored; try again soon.')
  return { was: first.definition, later }
}

/** The trigger that `tidemark migration:generate` makes for entities that extend `BaseEntity` calls this function. */
const STAMPS = `
  SELECT DISTINCT a.attname AS name FROM pg_trigger t
  JOIN pg_proc p ON p.oid = t.tgfoid AND p.proname = 'tidemark_count_version'
  JOIN pg_attribute a ON a.attrelid = t.tgrelid AND a.attname IN ('version', 'updated_at') AND NOT a.attisdropped
  WHERE t.tgrelid = to_regclass($1) AND t.tgenabled <> 'D' ORDER BY a.attname`

/** Answers the columns that a row's own update trigger writes whatever its writer wrote. */
export async function readStamps(query: Query, table: TableDefinition): Promise<string[]> {
  return (await query(STAMPS, [quoteTable(table)])).map(({ name }) => name ?? '')
}
