import {
  audienceOf,
  type DefinitionInForce,
  isVisibleIn,
  type Lsn,
  type PgSnapshot,
  parsePgLsn,
  type TableDefinition,
  travellingColumns,
} from '../../protocol/index.ts'

/** A synced row, complete, as text by column. */
export type ModelRow = Readonly<Record<string, string | null>>
/** For each table id, the table's rows by the text of their keys. */
export type ModelState = ReadonlyMap<string, ReadonlyMap<string, ModelRow>>

/** One stored change, as `tidemark.change_history` has it. */
export interface HistoryRow {
  readonly lsn: Lsn
  readonly seq: number
  readonly xid: string
  readonly table: string
  readonly operation: string
  readonly rowKey: ModelRow | null
  readonly data: ModelRow | null
  readonly oldData: ModelRow | null
  readonly audience: string | null
}

/** A definition put in force, and the rows at that commit. */
export interface DefinitionChange {
  readonly definition: DefinitionInForce
  /** Every row, as nobody could write meanwhile; if capture adopted it, those of tables that are loaded anew. */
  readonly state: ModelState
  readonly adopted: boolean
  /** A moment before it was put in force, on the clock of the samples. */
  readonly beforeMs: number
}

/** The state in which an epoch's history begins. */
export interface HistoryStart {
  readonly definition: DefinitionInForce
  readonly base: ModelState
}

/** Reads a row of history whose columns were selected as text. */
export function parseHistoryRow(row: Readonly<Record<string, string | null | undefined>>): HistoryRow {
  const json = (text: string | null | undefined): ModelRow | null => (text ? JSON.parse(text) : null)
  return {
    lsn: parsePgLsn(row.lsn ?? ''),
    seq: Number(row.seq),
    xid: row.xid ?? '',
    table: row.table_name ?? '',
    operation: row.operation ?? '',
    rowKey: json(row.row_key),
    data: json(row.data),
    oldData: json(row.old_data),
    audience: row.audience ?? null,
  }
}

/**
 * The state of Postgres after each commit, computed from history alone.
 *
 * Every step is checked against the state it meets: an update or delete must find its row with the old values that
 * history claims, an insert must find none, and each change must name the audience of its row. A change of definition
 * that we made must meet the rows that it was seen to meet. Violations are collected.
 */
export class HistoryModel {
  readonly violations: string[] = []
  readonly #changes: ReadonlyMap<number, DefinitionChange>
  #inForce: DefinitionInForce
  #tables: ReadonlyMap<string, TableDefinition> = new Map()
  readonly #rows = new Map<string, Map<string, ModelRow>>()

  constructor(start: HistoryStart, changes: ReadonlyMap<number, DefinitionChange>) {
    this.#changes = changes
    this.#inForce = start.definition
    this.#take(start.definition, start.base)
  }

  get state(): ModelState {
    return this.#rows
  }

  /** The definition in force at the commit that was reached. */
  get inForce(): DefinitionInForce {
    return this.#inForce
  }

  apply(change: HistoryRow): void {
    // A row that says whose transaction it is, or whose rights it changes, is no row of the app.
    if (change.operation === 'rights' || change.operation === 'mutation') return
    if (change.operation === 'definition') {
      this.#redefine(change)
      return
    }
    const table = this.#tables.get(change.table)
    const rows = this.#rows.get(change.table)
    if (!table || !rows) {
      this.#violation(change, 'names a table that is not synced')
      return
    }
    const key = (row: ModelRow) => keyOf(table, row)
    switch (change.operation) {
      case 'insert': {
        const data = change.data ?? {}
        const missing = travellingColumns(table).filter((column) => data[column.name] === undefined)
        if (missing.length > 0) this.#violation(change, `lacks ${missing.map((column) => column.name).join(', ')}`)
        if (rows.has(key(data))) this.#violation(change, 'inserts a row that is there')
        if (audienceOf(table.audience, data) !== change.audience)
          this.#violation(change, 'names another audience than its row')
        rows.set(key(data), data)
        return
      }
      case 'update': {
        const before = rows.get(key(change.rowKey ?? {}))
        if (!before) {
          this.#violation(change, 'updates a row that is not there')
          return
        }
        this.#expectOld(change, before)
        const after = { ...before, ...change.data }
        if (key(after) !== key(before)) this.#violation(change, 'changes the key in an update')
        if (audienceOf(table.audience, after) !== change.audience)
          this.#violation(change, 'names another audience than its row')
        rows.set(key(after), after)
        return
      }
      case 'delete': {
        const before = rows.get(key(change.rowKey ?? {}))
        if (!before) {
          this.#violation(change, 'deletes a row that is not there')
          return
        }
        this.#expectOld(change, before)
        if (audienceOf(table.audience, before) !== change.audience)
          this.#violation(change, 'names another audience than its row')
        rows.delete(key(before))
        return
      }
      case 'truncate':
        if (change.audience !== null) this.#violation(change, 'is a truncate with an audience')
        rows.clear()
        return
      default:
        this.#violation(change, `has operation ${change.operation}`)
    }
  }

  /** Takes a change back by its old values (HIS-09); not possible across a truncate. */
  undo(change: HistoryRow): void {
    const table = this.#tables.get(change.table)
    const rows = this.#rows.get(change.table)
    if (!table || !rows) return
    if (change.operation === 'insert') rows.delete(keyOf(table, change.data ?? {}))
    if (change.operation === 'delete') rows.set(keyOf(table, change.rowKey ?? {}), change.oldData ?? {})
    if (change.operation === 'update') {
      const key = keyOf(table, change.rowKey ?? {})
      rows.set(key, { ...rows.get(key), ...change.oldData })
    }
  }

  #redefine(change: HistoryRow): void {
    const next = this.#changes.get(Number(change.data?.version))
    if (!next) {
      this.#violation(change, 'puts a definition in force that nobody stored')
      return
    }
    if (next.adopted) {
      this.#take(next.definition, new Map([...this.#rows, ...next.state]))
      return
    }
    for (const table of next.definition.definition.tables) {
      const before = this.#tables.get(table.id)
      if (!before) continue
      const shared = travellingColumns(table).filter(({ name }) =>
        before.columns.some((column) => column.name === name),
      )
      const lines = (rows: Iterable<ModelRow> = []) =>
        Array.from(rows, (row) => JSON.stringify(shared.map(({ name }) => row[name] ?? null))).sort()
      const difference = lineDifference(
        lines(next.state.get(table.id)?.values()),
        lines(this.#rows.get(table.id)?.values()),
      )
      if (difference.length > 0)
        this.#violation(change, `meets other rows of ${table.id} than Postgres had\n  ${difference.join('\n  ')}`)
    }
    this.#take(next.definition, next.state)
  }

  #take(definition: DefinitionInForce, state: ModelState): void {
    const { tables } = definition.definition
    this.#inForce = definition
    this.#tables = new Map(tables.map((table) => [table.id, table]))
    this.#rows.clear()
    for (const table of tables) this.#rows.set(table.id, new Map(state.get(table.id) ?? []))
  }

  #expectOld(change: HistoryRow, before: ModelRow): void {
    for (const [name, value] of Object.entries(change.oldData ?? {})) {
      if (before[name] !== value)
        this.#violation(change, `claims old ${name} ${JSON.stringify(value)}, it was ${JSON.stringify(before[name])}`)
    }
  }

  #violation(change: HistoryRow, what: string): void {
    this.violations.push(
      `${change.lsn}/${change.seq} ${change.operation} ${change.table} ${JSON.stringify(change.rowKey)} ${what}`,
    )
  }
}

export function keyOf(table: TableDefinition, row: ModelRow): string {
  return JSON.stringify(table.primaryKey.map((name) => row[name]))
}

const NONE: ReadonlySet<string> = new Set()

/** Answers the lines that a replica of these audiences must hold, sorted, without keys in `except`; `null` sees all. */
export function visibleLines(
  table: TableDefinition,
  rows: Iterable<ModelRow>,
  audiences: ReadonlySet<string> | null,
  except = NONE,
): string[] {
  const names = travellingColumns(table).map((column) => column.name)
  const lines: string[] = []
  for (const row of rows) {
    const audience = audienceOf(table.audience, row)
    if (audiences && (audience === null || !audiences.has(audience))) continue
    if (except.size > 0 && except.has(keyOf(table, row))) continue
    lines.push(JSON.stringify(names.map((name) => row[name] ?? null)))
  }
  return lines.sort()
}

/** Answers the history of the transactions that a Postgres snapshot shows. */
export function visibleHistory(history: readonly HistoryRow[], snapshot: PgSnapshot): HistoryRow[] {
  return history.filter((change) => isVisibleIn(snapshot, change.xid))
}

/** Answers the lines that two sorted lists do not share, shortened for a report; empty when they are equal. */
export function lineDifference(expected: readonly string[], actual: readonly string[]): string[] {
  const count = (lines: readonly string[]) => {
    const counts = new Map<string, number>()
    for (const line of lines) counts.set(line, (counts.get(line) ?? 0) + 1)
    return counts
  }
  const [wanted, found] = [count(expected), count(actual)]
  const only = (sign: string, from: Map<string, number>, other: Map<string, number>) =>
    [...from].filter(([line, times]) => (other.get(line) ?? 0) < times).map(([line]) => `${sign} ${line.slice(0, 600)}`)
  const all = [...only('missing', wanted, found), ...only('surplus', found, wanted)]
  return all.length > 12 ? [...all.slice(0, 12), `… and ${all.length - 12} more`] : all
}
