import { readDefinitionInForce } from '../../db/definition/definition-in-force.ts'
import type { Query } from '../../db/query.ts'
import {
  formatPgLsn,
  type Lsn,
  parsePgLsn,
  type Row,
  type TableDefinition,
  TidemarkError,
  type ToldChange,
} from '../../protocol/index.ts'
import { asClient, type ClientIdentity, type Database } from '../database/index.ts'

/** The place of a change in history, as a page ends there. */
export type ChangePlace = Pick<ToldChange, 'lsn' | 'seq'>

/** The history that is current, as far as it reaches back. */
export interface HistoryBounds {
  readonly epoch: string
  /** Everything above it is there. */
  readonly from: Lsn
  /** The time from which it is known to be there. */
  readonly since: string
}

export const ISO = (column: string) => `to_char(${column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`

const BOUNDS = `
  SELECT e.id, e.floor_lsn::text AS floor, CASE WHEN e.floor_lsn = e.start_lsn THEN ${ISO('e.started_at')} ELSE (
    SELECT ${ISO('h.committed_at')} FROM tidemark.change_history h
    WHERE h.epoch = e.id AND h.operation <> 'definition' ORDER BY h.epoch, h.lsn, h.seq LIMIT 1) END AS since,
    ${ISO('clock_timestamp()')} AS now
  FROM tidemark.epoch e WHERE e.ended_at IS NULL`

const CHANGES = `
  SELECT lsn::text, seq::text, operation, data::text AS data, old_data::text AS before, ${ISO('committed_at')} AS at, user_id, mutation_id
  FROM tidemark.row_history($1, $2, $3::jsonb, $4::pg_lsn, $5::integer, $6::integer)`

/** Answers the bounds of the current history. Throws `unavailable` where there is none. */
export async function readBounds(query: Query): Promise<HistoryBounds> {
  const [row] = await query(BOUNDS)
  if (!row?.id) throw new TidemarkError('unavailable', 'Capture has not begun a history yet; try again soon.')
  return {
    epoch: row.id,
    from: parsePgLsn(row.floor ?? '0/0'),
    // Where all is pruned, nothing tells when the last of it was.
    since: row.since ?? row.now ?? '',
  }
}

/** Finds a table of the definition in force by its id. Throws `not-found`. */
export async function findTable(query: Query, id: string): Promise<TableDefinition> {
  const table = (await readDefinitionInForce(query))?.definition.tables.find((candidate) => candidate.id === id)
  if (table) return table
  throw new TidemarkError('not-found', 'Nothing is found at this address, or not by this user.')
}

/**
 * Reads the key of a row from an address: the value where the key has one column, or a JSON object of texts. Throws
 * `bad-input`.
 */
export function keyOf(table: TableDefinition, text: string): Row {
  const fault = () =>
    new TidemarkError('bad-input', 'The key is one value, or a JSON object with the text of each of its columns.')
  const [name = ''] = table.primaryKey
  if (!text.startsWith('{') || (table.primaryKey.length === 1 && !text.endsWith('}'))) {
    if (table.primaryKey.length > 1 || text.includes('\0')) throw fault()
    return { [name]: text }
  }
  let key: unknown
  try {
    key = JSON.parse(text)
  } catch {
    throw fault()
  }
  const values = typeof key === 'object' && key !== null ? (key as Readonly<Record<string, unknown>>) : {}
  const isKey = Object.keys(values).length === table.primaryKey.length
  return Object.fromEntries(
    table.primaryKey.map((column) => {
      const value = Object.hasOwn(values, column) ? values[column] : null
      if (!isKey || typeof value !== 'string' || value.includes('\0')) throw fault()
      return [column, value]
    }),
  )
}

/** Reads what this reader may see of the changes of one row below a place, newest first, up to 500. */
export async function readChanges(
  database: Database,
  reader: ClientIdentity,
  row: { readonly epoch: string; readonly table: TableDefinition; readonly key: Row },
  below: ChangePlace | null,
  most: number,
): Promise<ToldChange[]> {
  const params = [row.epoch, row.table.id, JSON.stringify(row.key), ...placeParams(below), most]
  const rows = await asClient(database, reader, ({ query }) => query(CHANGES, params), { readOnly: true })
  return rows.map(toldChangeOf)
}

/** Reads a change as a statement selects it, its columns named as in `CHANGES`. */
export const toldChangeOf = (one: Readonly<Record<string, string | null>>): ToldChange => ({
  lsn: parsePgLsn(one.lsn ?? ''),
  seq: Number(one.seq),
  at: one.at ?? '',
  operation: (one.operation ?? '') as ToldChange['operation'],
  data: JSON.parse(one.data ?? 'null'),
  before: JSON.parse(one.before ?? 'null'),
  user: one.user_id ?? null,
  mutation: one.mutation_id ?? null,
})

/** Says a place as a statement takes it; null begins at the newest. */
export const placeParams = (place: ChangePlace | null) =>
  place === null ? [null, null] : [formatPgLsn(place.lsn), place.seq]
