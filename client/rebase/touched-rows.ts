import { quoteLiteral, type Row } from '../../protocol/index.ts'
import type { Incoming } from '../mutations/decode-transactions.ts'
import { rowId } from '../mutations/rules/captured-write.ts'
import type { Executor } from '../store/copies.ts'
import { keyText, type ReplicaTable, type ReplicaTables, tableOf } from '../store/replica-table.ts'

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
  const named = [...incoming.rows.keys()].map((row) => row.split('\u0000'))
  const { rows } = await tx.query<{ table_id: string; key: string }>(
    `SELECT w.table_id, w.key FROM tidemark.write w
     JOIN json_to_recordset($1::text::json) AS x(t text, k text) ON w.table_id = x.t AND w.key = x.k
     UNION SELECT w.table_id, w.key FROM tidemark.write w
     WHERE w.table_id IN (SELECT json_array_elements_text($2::text::json))`,
    [JSON.stringify(named.map(([t, k]) => ({ t, k }))), JSON.stringify([...incoming.emptied])],
  )
  const touched = new Set(rows.map(({ table_id, key }) => rowId(table_id, key)))
  for (const [table, wanted] of uniqueValues(incoming.transactions, tables)) {
    for (const { columns, values } of wanted.values()) {
      for (const key of await holdersOf(tx, table, columns, values)) touched.add(rowId(table.id, key))
    }
  }
  return touched
}

interface Wanted {
  readonly columns: readonly string[]
  readonly values: Record<string, string | null>[]
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
      group.values.push(Object.fromEntries(columns.map((column, index) => [`v${index}`, change.data[column] ?? null])))
    }
  }
  return wanted
}

async function holdersOf(
  tx: Executor,
  table: ReplicaTable,
  columns: readonly string[],
  values: readonly object[],
): Promise<string[]> {
  const fields = columns.map((_, index) => `v${index} text`).join(', ')
  const same = columns.map((name, index) => `w.after::json ->> ${quoteLiteral(name)} = x.v${index}`).join(' AND ')
  const { rows } = await tx.query<{ key: string }>(
    `SELECT DISTINCT w.key FROM tidemark.write w JOIN json_to_recordset($1::text::json) AS x(${fields}) ON ${same}
     WHERE w.table_id = $2 AND w.after IS NOT NULL`,
    [JSON.stringify(values), table.id],
  )
  return rows.map(({ key }) => key)
}
