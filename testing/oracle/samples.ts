import {
  type Definition,
  formatPgLsn,
  type Lsn,
  PINNED_SETTINGS,
  parsePgSnapshot,
  quoteIdentifier,
  quoteTable,
  type TableDefinition,
  travellingColumns,
} from '../../protocol/index.ts'
import type { Database } from '../../workers/database/index.ts'
import {
  HistoryModel,
  type HistoryRow,
  keyOf,
  lineDifference,
  type ModelRow,
  type ModelState,
  parseHistoryRow,
  visibleHistory,
  visibleLines,
} from './history-model.ts'

/** What a replica held at one moment, read together with its cursor. */
export interface ReplicaSample {
  readonly replica: string
  readonly audiences: readonly string[]
  readonly epoch: string
  readonly cursor: Lsn
  readonly lines: ReadonlyMap<string, readonly string[]>
  /** When it was taken, for the report: transactions done, say. */
  readonly moment: string
}

/** What Postgres held in one snapshot. */
export interface PostgresSample {
  readonly snapshot: string
  readonly lines: ReadonlyMap<string, readonly string[]>
}

/** A value as its type prints it, as the log does; a cast to text differs for boolean, char(n) and inet. */
function printed(name: string): string {
  const column = quoteIdentifier(name)
  return `CASE WHEN ${column} IS NOT NULL THEN format('%s', ${column}) END AS ${column}`
}

/** `SELECT` of a table's travelling columns as text, in definition order; generated ones too where asked. */
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

export async function samplePostgres(database: Database, definition: Definition): Promise<PostgresSample> {
  return await database.transaction(
    async ({ query, rows }) => {
      // A TRUNCATE after the snapshot would empty what it shows.
      await query(`LOCK TABLE ${definition.tables.map(quoteTable).join(', ')} IN ACCESS SHARE MODE`)
      const [row] = await query('SELECT pg_current_snapshot()::text AS snapshot')
      const lines = new Map<string, readonly string[]>()
      for (const table of definition.tables) lines.set(table.id, linesOf(await rows(selectAsText(table, false))))
      return { snapshot: row?.snapshot ?? '', lines }
    },
    { isolation: 'repeatable read', readOnly: true },
  )
}

/** All rows by key: the state from which history is folded. */
export async function readState(database: Database, definition: Definition): Promise<ModelState> {
  const state = new Map<string, ReadonlyMap<string, ModelRow>>()
  for (const table of definition.tables) {
    const rows = (await database.query(selectAsText(table, false))) as ModelRow[]
    state.set(table.id, new Map(rows.map((row) => [keyOf(table, row), row])))
  }
  return state
}

/** All of the epoch's history, in order. */
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

export interface Evidence {
  readonly definition: Definition
  readonly base: ModelState
  readonly history: readonly HistoryRow[]
  readonly replicaSamples: readonly ReplicaSample[]
  readonly postgresSamples: readonly PostgresSample[]
}

/**
 * Holds every sample against history folded to its place, and history against Postgres; answers what is wrong.
 *
 * - A replica at cursor L shows what its audiences see after the last commit at or below L.
 * - Postgres in a snapshot shows history's transactions visible there, no more and no less.
 * - A replica's cursor never goes back.
 * - Old values undo history back to where it began, or to the last truncate (HIS-09).
 */
export function examine(evidence: Evidence): string[] {
  return [
    ...examineOrder(evidence.history),
    ...examineReplicas(evidence),
    ...evidence.postgresSamples.flatMap((sample) => examinePostgres(evidence, sample)),
    ...examineUndo(evidence),
  ]
}

function examineOrder(history: readonly HistoryRow[]): string[] {
  const faults: string[] = []
  for (const [index, change] of history.entries()) {
    const before = history[index - 1]
    const expected = before?.lsn === change.lsn ? before.seq + 1 : 0
    if (change.seq !== expected) faults.push(`history ${change.lsn}: seq ${change.seq} where ${expected} was due`)
    if (before?.lsn === change.lsn && before.xid !== change.xid)
      faults.push(`history ${change.lsn}: two transactions at one LSN`)
  }
  return faults
}

function examineReplicas({ definition, base, history, replicaSamples }: Evidence): string[] {
  const faults: string[] = []
  const lastCursor = new Map<string, Lsn>()
  for (const sample of replicaSamples) {
    const last = lastCursor.get(sample.replica)
    if (last !== undefined && sample.cursor < last) {
      faults.push(
        `${sample.replica} went back from ${formatPgLsn(last)} to ${formatPgLsn(sample.cursor)} (${sample.moment})`,
      )
    }
    lastCursor.set(sample.replica, sample.cursor)
  }
  const model = new HistoryModel(definition, base)
  let position = 0
  const apply = (to: Lsn | null) => {
    for (let change = history[position]; change && (to === null || change.lsn <= to); change = history[position]) {
      model.apply(change)
      position += 1
    }
  }
  for (const sample of [...replicaSamples].sort((a, b) => (a.cursor < b.cursor ? -1 : 1))) {
    apply(sample.cursor)
    const audiences = new Set(sample.audiences)
    for (const table of definition.tables) {
      const expected = visibleLines(table, model.state.get(table.id)?.values() ?? [], audiences)
      const difference = lineDifference(expected, sample.lines.get(table.id) ?? [])
      if (difference.length > 0) {
        faults.push(
          `${sample.replica} (${sample.audiences.join(' ')}) at ${formatPgLsn(sample.cursor)}, ${sample.moment}: ${table.id} is not what was committed\n  ${difference.join('\n  ')}`,
        )
      }
    }
  }
  apply(null)
  return [...faults, ...model.violations.map((violation) => `history ${violation}`)]
}

function examinePostgres({ definition, base, history }: Evidence, sample: PostgresSample): string[] {
  const model = new HistoryModel(definition, base)
  for (const change of visibleHistory(history, parsePgSnapshot(sample.snapshot))) model.apply(change)
  return definition.tables.flatMap((table) => {
    const expected = sample.lines.get(table.id) ?? []
    const actual = visibleLines(table, model.state.get(table.id)?.values() ?? [], null)
    const difference = lineDifference(expected, actual)
    return difference.length === 0
      ? []
      : [
          `history does not tell what Postgres held in snapshot ${sample.snapshot}: ${table.id}\n  ${difference.join('\n  ')}`,
        ]
  })
}

function examineUndo({ definition, base, history }: Evidence): string[] {
  const lastTruncate = history.findLastIndex((change) => change.operation === 'truncate')
  const model = new HistoryModel(definition, base)
  for (const change of history.slice(0, lastTruncate + 1)) model.apply(change)
  const there = new Map(
    definition.tables.map((table) => [table.id, visibleLines(table, model.state.get(table.id)?.values() ?? [], null)]),
  )
  const rest = history.slice(lastTruncate + 1)
  for (const change of rest) model.apply(change)
  for (const change of rest.toReversed()) model.undo(change)
  return definition.tables.flatMap((table) => {
    const back = visibleLines(table, model.state.get(table.id)?.values() ?? [], null)
    const difference = lineDifference(there.get(table.id) ?? [], back)
    return difference.length === 0
      ? []
      : [`old values do not undo history of ${table.id}\n  ${difference.join('\n  ')}`]
  })
}
