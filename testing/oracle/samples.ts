import { readDefinitionInForce } from '../../db/index.ts'
import {
  type Definition,
  type DefinitionInForce,
  type Lsn,
  PINNED_SETTINGS,
  parsePgLsn,
  quoteIdentifier,
  quoteTable,
  type TableDefinition,
  travellingColumns,
} from '../../protocol/index.ts'
import { type Database, SQL_STATE, sqlStateOf } from '../../workers/database/index.ts'
import { type HistoryRow, keyOf, type ModelRow, type ModelState, parseHistoryRow } from './history-model.ts'

/** The state of a replica at one moment, read together with its cursor. */
export interface ReplicaSample {
  readonly replica: string
  /** The audiences whose rows it showed, by its own account. */
  readonly audiences: readonly string[]
  readonly epoch: string
  /** The version of the definition by which it held them. */
  readonly version: number
  readonly cursor: Lsn
  /** Ids of tables that wait to be loaded for that version; they are shown as they were, and are in no lines. */
  readonly behind?: readonly string[]
  readonly lines: ReadonlyMap<string, readonly string[]>
  /** Keys of rows on which unsent work lies, by table; these rows are in no lines. */
  readonly touched: ReadonlyMap<string, ReadonlySet<string>>
  /** The moment of the run at which it was taken, in words for the report. */
  readonly moment: string
  /** The time at which it was taken, on the clock of this process. */
  readonly takenMs: number
}

/** The state of Postgres in one snapshot. */
export interface PostgresSample {
  readonly snapshot: string
  /** The epoch that had begun and not ended there; empty before the first. */
  readonly epoch: string
  /** A place in the log; everything that the snapshot shows lies at or below it. */
  readonly lsn: Lsn
  readonly definition: DefinitionInForce
  readonly lines: ReadonlyMap<string, readonly string[]>
  /** Tables with rows whose kept audience is not what their parent, or their condition, says. */
  readonly strays?: readonly string[]
}

/** Computes anew, from one step up, the audience of every row for which Tidemark keeps it. */
async function findStrays(query: Database['query'], { tables }: Definition): Promise<string[]> {
  const strays: string[] = []
  for (const table of tables) {
    const parent = table.kept?.parent
    if (!parent) continue
    const joined = parent.key.map(
      (name, index) => `p.${quoteIdentifier(name)} = c.${quoteIdentifier(parent.columns[index] ?? '')}`,
    )
    const found = await query(
      `SELECT FROM ${quoteTable(table)} c LEFT JOIN ${quoteTable(parent)} p ON ${joined.join(' AND ')}
       WHERE c.tidemark_audience IS DISTINCT FROM CASE WHEN ${table.kept?.when?.replaceAll('"hushed"', 'c.hushed') ?? 'true'} THEN p.${quoteIdentifier(parent.audience)} END LIMIT 1`,
    )
    if (found.length > 0) strays.push(table.id)
  }
  return strays
}

/** Selects a value as its type prints it, like the log; a cast to text differs for boolean, char(n) and inet. */
function printed(name: string): string {
  const column = quoteIdentifier(name)
  return `CASE WHEN ${column} IS NOT NULL THEN format('%s', ${column}) END AS ${column}`
}

/** Makes a `SELECT` of a table's travelling columns as text, in definition order; generated ones too where asked. */
export function selectAsText(table: TableDefinition, generated: boolean, where = ''): string {
  const columns = generated ? table.columns : travellingColumns(table)
  return `SELECT ${columns.map((column) => printed(column.name)).join(', ')} FROM ${quoteTable(table)} ${where}`
}

export const linesOf = (rows: readonly (readonly (string | null)[])[]): string[] =>
  rows.map((row) => JSON.stringify(row)).sort()

/** The settings under which both sides print values, as one statement for the start of a transaction. */
export const PIN_SETTINGS = Object.entries(PINNED_SETTINGS)
  .map(([name, value]) => `SET LOCAL ${name} = '${value}';`)
  .join(' ')

/** Samples Postgres; partition jobs of the run lock tables in another order, and a sample that one ends is taken again. */
export async function samplePostgres(database: Database): Promise<PostgresSample> {
  for (;;) {
    try {
      return await sampleOnce(database)
    } catch (error) {
      if (sqlStateOf(error) !== SQL_STATE.deadlockDetected) throw error
    }
  }
}

async function sampleOnce(database: Database): Promise<PostgresSample> {
  const tables = await appTables(database.query)
  return await database.transaction(
    async ({ query, rows }) => {
      // The lock comes first, because a TRUNCATE after the snapshot would empty what it shows.
      await query(`LOCK TABLE ${tables} IN ACCESS SHARE MODE`)
      const [row] = await query(
        `SELECT pg_current_snapshot()::text AS snapshot, pg_current_wal_insert_lsn()::text AS lsn,
           (SELECT id FROM tidemark.epoch WHERE ended_at IS NULL) AS epoch`,
      )
      const definition = await requireDefinition(query)
      const lines = new Map<string, readonly string[]>()
      for (const table of definition.definition.tables)
        lines.set(table.id, linesOf(await rows(selectAsText(table, false))))
      const strays = await findStrays(query, definition.definition)
      return {
        snapshot: row?.snapshot ?? '',
        epoch: row?.epoch ?? '',
        lsn: parsePgLsn(row?.lsn ?? ''),
        definition,
        lines,
        strays,
      }
    },
    { isolation: 'repeatable read', readOnly: true },
  )
}

/** Answers every table of the app, as a list in SQL. */
export async function appTables(query: Database['query']): Promise<string> {
  const [row] = await query(
    `SELECT string_agg(format('%I.%I', schemaname, tablename), ', ' ORDER BY tablename) AS tables FROM pg_tables
     WHERE schemaname IN ('public', 'Mixed Case')`,
  )
  return row?.tables ?? ''
}

export async function requireDefinition(query: Database['query']): Promise<DefinitionInForce> {
  const definition = await readDefinitionInForce(query)
  if (!definition) throw new Error('No definition is in force.')
  return definition
}

/** Names the values of a row, which come in the order of `selectAsText`. */
export function rowOf(table: TableDefinition, values: readonly (string | null)[]): ModelRow {
  return Object.fromEntries(travellingColumns(table).map(({ name }, index) => [name, values[index] ?? null]))
}

/** Answers the rows of a sample by key. */
export function stateOf({ definition, lines }: PostgresSample): ModelState {
  return new Map(
    definition.definition.tables.map((table) => {
      const rows = (lines.get(table.id) ?? []).map((line) => rowOf(table, JSON.parse(line)))
      return [table.id, new Map(rows.map((row) => [keyOf(table, row), row]))]
    }),
  )
}

/** Reads all rows by key: the state from which history is folded. */
export async function readState(query: Database['query'], definition: Definition): Promise<ModelState> {
  const state = new Map<string, ReadonlyMap<string, ModelRow>>()
  for (const table of definition.tables) {
    const rows = (await query(selectAsText(table, false))) as ModelRow[]
    state.set(table.id, new Map(rows.map((row) => [keyOf(table, row), row])))
  }
  return state
}

/** Reads all of the epoch's history, in order. */
export async function readHistory(database: Database, epoch: string): Promise<HistoryRow[]> {
  return await database.transaction(
    async ({ pages }) => {
      const names = ['lsn', 'seq', 'xid', 'table_name', 'operation', 'row_key', 'data', 'old_data', 'audience']
      const history: HistoryRow[] = []
      const text = `SELECT ${names.map((name) => `${name}::text`).join(', ')} FROM tidemark.change_history AS h WHERE epoch = $1 ORDER BY h.lsn, h.seq`
      for await (const page of pages(text, [epoch])) {
        for (const values of page)
          history.push(parseHistoryRow(Object.fromEntries(names.map((name, index) => [name, values[index]]))))
      }
      return history
    },
    { readOnly: true },
  )
}
