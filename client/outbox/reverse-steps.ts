import type { PatchRow } from '../../protocol/index.ts'
import { orderRows } from '../mutations/rules/order-rows.ts'
import { patchTables } from '../mutations/rules/patch-of-writes.ts'
import { columnsInTheWay, type RowReversal } from '../mutations/rules/reverse-rows.ts'
import type { Copy, Executor } from '../store/copies.ts'
import { tableOf } from '../store/replica-table.ts'
import type { ForeignKey } from '../store/rules/foreign-keys.ts'
import { type RowWrite, readLocalRow, writeLocalRows } from './local-rows.ts'

/** Says that rows of `table` refer to those of `parent`. */
export type RowReference = Pick<ForeignKey, 'table' | 'columns' | 'parent' | 'parentColumns'>

const asKey = (reference: RowReference): ForeignKey => ({ ...reference, onDelete: null, onUpdate: null })

/**
 * Orders steps as constraints allow: rows that a cascade took away come back after those they refer to. `references` are foreign keys
 * that the server alone has.
 */
export function orderSteps(
  steps: readonly RowReversal[],
  copy: Copy,
  references: readonly RowReference[] = [],
): RowReversal[] {
  const { keys, uniques } = patchTables(copy.tables)
  const byRow = new Map(steps.map((step) => [rowOf(step), step]))
  const rows = [...byRow].map(([row, { from, to }]) => ({ row, before: from, after: to }))
  return orderRows(rows, [...keys, ...references.map(asKey)], uniques).flatMap((row) => byRow.get(row) ?? [])
}

function rowOf({ table: t, key: k, from, to }: RowReversal): PatchRow {
  const row = { t, a: '', k: { ...k } }
  if (to === null) return { ...row, o: 'd' }
  return from === null ? { ...row, o: 'i', d: { ...to } } : { ...row, o: 'u', d: { ...to }, b: {} }
}

/** Answers the columns in which the row here no longer holds what a step would take back; null where none are in its way. */
export async function stepInTheWay(tx: Executor, copy: Copy, step: RowReversal): Promise<readonly string[] | null> {
  const table = tableOf(copy.tables, step.table)
  const current = await readLocalRow(tx, table, step.key)
  const later = new Set(table.columns.flatMap(({ name, serverDefault }) => (serverDefault ? [name] : [])))
  return columnsInTheWay(step, current, later)
}

/** Writes a step as the app itself would. */
export async function writeStep(
  tx: Executor,
  copy: Copy,
  { table: id, key, from, to, columns }: RowReversal,
): Promise<void> {
  const table = tableOf(copy.tables, id)
  const values = to && Object.fromEntries((from ? columns : Object.keys(to)).map((name) => [name, to[name] ?? null]))
  const write: RowWrite = { table, key, op: to === null ? 'delete' : from === null ? 'insert' : 'update', values }
  await writeLocalRows(tx, [write])
}
