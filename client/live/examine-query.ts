import type { Executor } from '../store/copies.ts'
import { MAX_KEY_COLUMNS, watchTable } from '../store/live-ddl.ts'
import { hashValues, type QueryFacts, readQueryFacts } from '../store/rows/query-facts.ts'
import type { QueryText } from './live-messages.ts'
import { readKeyConditions } from './rules/key-conditions.ts'
import type { KeyFilter } from './rules/notice.ts'
import type { Dependencies } from './shared-query.ts'

/** The columns by which touches of a table are told apart, by the table's oid; of tables that notify at all. */
export type WatchedTables = ReadonlyMap<number, readonly string[]>

/** What the engine knows already. */
export interface Known {
  readonly watched: WatchedTables
  /** The facts of queries by their text, of the schema as it is. */
  readonly facts: ReadonlyMap<string, QueryFacts>
  /** Whether touches are told apart by key. */
  readonly byKey: boolean
}

export interface Examined {
  readonly facts: QueryFacts
  readonly dependencies: Dependencies
  /** The tables that notify once the transaction is committed. */
  readonly watched: WatchedTables
}

/**
 * Reads what a query depends on, and makes its tables notify of their touches. `tx` must be a transaction of its own.
 *
 * Throws what Postgres says of a query that does not compile, and `bad-input` for what is no SELECT.
 */
export async function examineQuery(
  tx: Executor,
  { text, params }: QueryText,
  { watched, facts: known, byKey }: Known,
): Promise<Examined> {
  const read = known.get(text)
  const facts = read ?? (await readQueryFacts(tx, text))
  const filters = byKey && !facts.readsMore ? await readFilters(tx, facts, params) : []
  const after = new Map(watched)
  const told = tellable(filters, facts, watched)
  for (const table of facts.tables) {
    const before = watched.get(table.oid)
    const wanted = told.map(({ column }) => column).filter((column) => table.columns.includes(column))
    const keys = [...new Set([...(before ?? []), ...wanted])]
    const isWatched = read === undefined ? table.watched : before !== undefined
    if (!isWatched || keys.length > (before ?? []).length) await tx.exec(watchTable(table, keys))
    after.set(table.oid, keys)
  }
  const tables = new Map(facts.tables.map(({ oid, name }) => [oid, name]))
  return { facts, dependencies: { tables, filters: told, always: facts.readsMore }, watched: after }
}

/** Answers those filters by whose columns every table can tell touches apart, beside those that it tells apart already. */
function tellable(filters: readonly KeyFilter[], { tables }: QueryFacts, watched: WatchedTables): readonly KeyFilter[] {
  const columns = new Set<string>()
  const fits = (column: string) =>
    tables.every(({ oid }) => new Set([...(watched.get(oid) ?? []), ...columns, column]).size <= MAX_KEY_COLUMNS)
  return filters.filter(({ column }) => {
    if (!fits(column)) return false
    columns.add(column)
    return true
  })
}

async function readFilters(tx: Executor, facts: QueryFacts, params: readonly unknown[]): Promise<KeyFilter[]> {
  const conditions = readKeyConditions(facts.tree)
  const [read] = facts.tables.filter(({ oid }) => facts.tree.includes(` :relid ${oid} `))
  if (!read || conditions.length === 0) return []
  const columns = conditions.map(({ column }) => read.columns[column - 1] ?? null)
  const values = conditions.map(({ value }) =>
    'text' in value
      ? { type: 'text', value: value.text }
      : { type: facts.parameterTypes[value.parameter - 1] ?? 'text', value: params[value.parameter - 1] },
  )
  const hashes = await hashValues(tx, values)
  return columns.flatMap((column, index) => {
    const hash = hashes[index] ?? null
    return column === null || hash === null ? [] : [{ column, hash }]
  })
}
