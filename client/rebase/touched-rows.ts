import type { Row } from '../../protocol/index.ts'
import type { Incoming } from '../mutations/decode-transactions.ts'
import type { Executor } from '../store/copies.ts'
import { keyText, type ReplicaTable, type ReplicaTables, tableOf } from '../store/replica-table.ts'
import { readHolders, readWrittenAmong } from '../store/rows/write-rows.ts'
import { rowId } from '../store/rules/captured-write.ts'

/** The server's transactions, as far as they concern pending work. */
export interface IncomingRows {
  readonly transactions: readonly Incoming[]
  /** The number of changes that name each row. */
  readonly rows: ReadonlyMap<string, number>
  /** Ids of tables that a TRUNCATE empties. */
  readonly emptied: ReadonlySet<string>
  readonly isEmpty: boolean
}

type RowChange = Exclude<Incoming['changes'][number], { op: 'truncate' }>

/** Throws `rehydrate-required` on a table or a key that this replica does not have. */
export function incomingRows(transactions: readonly Incoming[], tables: ReplicaTables): IncomingRows {
  const rows = new Map<string, number>()
  const emptied = new Set<string>()
  for (const change of transactions.flatMap(({ changes }) => changes)) {
    if (change.op === 'truncate') {
      emptied.add(change.table)
      continue
    }
    const row = rowOf(change, tables)
    rows.set(row, (rows.get(row) ?? 0) + 1)
  }
  return { transactions, rows, emptied, isEmpty: rows.size === 0 && emptied.size === 0 }
}

function rowOf(change: RowChange, tables: ReplicaTables): string {
  const key: Row = change.op === 'insert' ? change.data : change.key
  return rowId(change.table, keyText(tableOf(tables, change.table), key))
}

/** Answers the rows of pending work that these changes name, empty, or want a unique value of. */
export async function touchedRows(tx: Executor, incoming: IncomingRows, tables: ReplicaTables): Promise<Set<string>> {
  const named = [...incoming.rows.keys()].map((row) => {
    const [table = '', key = ''] = row.split('\u0000')
    return { table, key }
  })
  const touched = new Set(await readWrittenAmong(tx, named, incoming.emptied))
  for (const [table, wanted] of uniqueValues(incoming.transactions, tables)) {
    for (const { columns, values } of wanted.values()) {
      for (const key of await readHolders(tx, table.id, columns, values)) touched.add(rowId(table.id, key))
    }
  }
  return touched
}

interface Wanted {
  readonly columns: readonly string[]
  /** Each in the order of `columns`. */
  readonly values: (readonly (string | null)[])[]
}

/** Collects the values that changes give to unique constraints, by table and by the constraint's columns they name. */
function uniqueValues(
  transactions: readonly Incoming[],
  tables: ReplicaTables,
): Map<ReplicaTable, Map<string, Wanted>> {
  const wanted = new Map<ReplicaTable, Map<string, Wanted>>()
  for (const change of transactions.flatMap(({ changes }) => changes)) {
    if (change.op === 'truncate' || change.op === 'delete') continue
    const table = tableOf(tables, change.table)
    for (const unique of table.definition.uniques) {
      // An update may bring only its changed columns: every row that holds these is looked at.
      const columns = unique.columns.filter((name) => Object.hasOwn(change.data, name))
      if (columns.length === 0 || columns.some((name) => change.data[name] === null)) continue
      const ofTable = wanted.get(table) ?? new Map<string, Wanted>()
      wanted.set(table, ofTable)
      const name = columns.join()
      const group = ofTable.get(name) ?? { columns, values: [] }
      ofTable.set(name, group)
      group.values.push(columns.map((column) => change.data[column] ?? null))
    }
  }
  return wanted
}
