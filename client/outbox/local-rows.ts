import { outputExpression, type PatchRow, quoteIdentifier, type Row } from '../../protocol/index.ts'
import { type ChangeStatement, deleteStatement, insertStatement, updateStatement } from '../store/change-statements.ts'
import type { Executor } from '../store/copies.ts'
import { keyRow, type ReplicaTable, type ReplicaTables, tableOf } from '../store/replica-table.ts'
import { admitKeys, pinSettings } from '../store/rows/settings.ts'

/** One row to write: all columns of an insert, the changed ones of an update, null for a delete. */
export interface RowWrite {
  readonly table: ReplicaTable
  readonly key: Row
  readonly op: 'insert' | 'update' | 'delete'
  readonly values: Row | null
}

/** Reads a row as text under the pinned settings; null where there is none. */
export async function readLocalRow(tx: Executor, table: ReplicaTable, key: Row): Promise<Row | null> {
  const columns = table.columns.map((column) => {
    const value = `t.${quoteIdentifier(column.name)}`
    return `CASE WHEN ${value} IS NOT DISTINCT FROM NULL THEN NULL ELSE ${outputExpression(column, 't')} END AS ${quoteIdentifier(column.name)}`
  })
  const match = table.key.map(({ name, type }, index) => `t.${quoteIdentifier(name)} = $${index + 1}::text::${type}`)
  const { rows } = await tx.query<Record<string, string | null>>(
    `SELECT ${columns.join(', ')} FROM ${table.name} AS t WHERE ${match.join(' AND ')}`,
    table.key.map(({ name }) => key[name] ?? null),
  )
  return rows[0] ?? null
}

/** Writes rows as the app itself would, in their order; answers the first that is not there to be updated. */
export async function writeLocalRows(tx: Executor, writes: readonly RowWrite[]): Promise<RowWrite | null> {
  // The rows may exchange unique values, and come back under the keys that they had.
  await tx.exec('SET CONSTRAINTS ALL DEFERRED')
  await admitKeys(tx)
  for (const write of writes) {
    const { text, parameter } = statementOf(write)
    const { affectedRows = 0 } = await tx.query(text, [parameter])
    if (affectedRows === 0 && write.op === 'update') return write
  }
  return null
}

/** Writes a patch's rows on what is here now, as the app itself would; answers the first that is not there to be updated. */
export async function writePatchRows(
  tx: Executor,
  tables: ReplicaTables,
  rows: readonly PatchRow[],
): Promise<RowWrite | null> {
  await pinSettings(tx)
  const writes: RowWrite[] = []
  for (const row of rows) writes.push(await onRow(tx, writeOf(tables, row)))
  return writeLocalRows(tx, writes)
}

/** Turns an insert of a row that is there by now into an update. */
async function onRow(tx: Executor, write: RowWrite): Promise<RowWrite> {
  const { table, op, key, values } = write
  if (op !== 'insert' || (await readLocalRow(tx, table, key)) === null) return write
  const changed = Object.entries(values ?? {}).filter(([name]) => !Object.hasOwn(key, name))
  return { ...write, op: 'update', values: Object.fromEntries(changed) }
}

function writeOf(tables: ReplicaTables, row: PatchRow): RowWrite {
  const table = tableOf(tables, row.t)
  if (row.o === 'd') return { table, key: row.k, op: 'delete', values: null }
  return {
    table,
    key: row.o === 'i' ? keyRow(tables, row.t, row.d) : row.k,
    op: row.o === 'i' ? 'insert' : 'update',
    values: row.d,
  }
}

/** One statement for each row: what the app would write must not leave its table meanwhile, which others refer to. */
function statementOf({ table, op, key, values }: RowWrite): ChangeStatement {
  if (op === 'delete') return deleteStatement(table, [key])
  const row = values ?? {}
  if (op === 'insert') return insertStatement(table, [row])
  return updateStatement(table, table.name, { columns: Object.keys(row), updates: [{ key, row }] })
}
