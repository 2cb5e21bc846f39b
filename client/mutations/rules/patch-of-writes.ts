import { audienceOf, type Basis, type PatchRow, type Row } from '../../../protocol/index.ts'
import type { ReplicaTable, ReplicaTables } from '../../store/replica-table.ts'
import { type CapturedWrite, changedColumns, rowId } from '../../store/rules/captured-write.ts'
import { type ForeignKey, foreignKeysOf } from '../../store/rules/foreign-keys.ts'
import { cascadesAmong } from './cascades.ts'
import { type NetRow, orderRows, type Unique } from './order-rows.ts'

/** Answers the last earlier unsettled mutation that wrote a row's column; null where none did. */
export type WriterOf = (table: string, key: string, column: string) => number | null

/** The facts about tables by which patches are made. */
export interface PatchTables {
  readonly tables: ReplicaTables
  readonly keys: readonly ForeignKey[]
  readonly uniques: readonly Unique[]
}

export function patchTables(tables: ReplicaTables): PatchTables {
  const all = [...tables.values()]
  return {
    tables,
    keys: foreignKeysOf({ types: [], tables: all.map(({ definition }) => definition) }),
    uniques: all.flatMap(({ id, definition }) =>
      [
        definition.primaryKey,
        ...definition.uniques.map(({ columns }) => columns),
        ...definition.indexes.flatMap(({ unique }) => (unique ? [unique] : [])),
      ].map((columns) => ({ table: id, columns })),
    ),
  }
}

/**
 * Answers the net effect of one mutation's own writes, given in order, with what each changed column was based on.
 *
 * Rows that only a cascade touched are left out. A change of audience is a delete and an insert.
 */
export function patchOfWrites(
  writes: readonly CapturedWrite[],
  { tables, keys, uniques }: PatchTables,
  writerOf: WriterOf,
): PatchRow[] {
  const cascades = cascadesAmong(writes, keys)
  const byRow = new Map<string, { readonly first: CapturedWrite; last: CapturedWrite; own: boolean; anew: boolean }>()
  for (const [index, write] of writes.entries()) {
    const id = rowId(write.table, write.key)
    const own = cascades[index] === false
    const so = byRow.get(id) ?? { first: write, last: write, own: false, anew: false }
    byRow.set(id, so)
    // The row was made again after a delete whose cascades stand; for one folded change the server would not cascade.
    if (so.last.op === 'delete' && write.op === 'insert') so.anew = cascades.includes(true)
    so.last = write
    so.own ||= own
  }
  const rows = [...byRow.values()].flatMap(({ first, last, own, anew }): NetRow[] => {
    const table = tables.get(first.table)
    // Rows of tables that replicas may not write came by a cascade, whatever else it looks like.
    return own && table?.definition.write === 'all' ? netRows(table, first, last, anew, writerOf) : []
  })
  return orderRows(rows, keys, uniques)
}

function netRows(
  table: ReplicaTable,
  first: CapturedWrite,
  last: CapturedWrite,
  anew: boolean,
  writerOf: WriterOf,
): NetRow[] {
  const { before } = first
  const { after } = last
  const left = before && { row: deletion(table, before), before, after: null }
  const come = after && { row: insertion(table, after), before: null, after }
  if (!before || !after) return [left ?? come].filter((row) => row !== null)
  // Where Tidemark keeps the audience, nothing that a mutation may write names it: the row moves by what it writes.
  const isMoved = !table.definition.kept && audienceText(table, before) !== audienceText(table, after)
  if (anew || isMoved) return [left, come].filter((row) => row !== null)
  const columns = changedColumns(before, after).filter((name) => !table.columnByName.get(name)?.serverGenerated)
  if (columns.length === 0) return []
  const basisOf = (column: string): Basis => {
    const writer = writerOf(table.id, first.key, column)
    return writer === null ? { v: before[column] ?? null } : { m: writer }
  }
  const b = Object.fromEntries(columns.map((column) => [column, basisOf(column)]))
  const d = Object.fromEntries(columns.map((column) => [column, after[column] ?? null]))
  const a = audienceText(table, table.definition.kept ? before : after)
  const row: PatchRow = { o: 'u', t: table.id, a, k: keyOf(table, after), d, b }
  return [{ row, before, after }]
}

const audienceText = (table: ReplicaTable, row: Row): string => audienceOf(table.audience, row) ?? ''

function keyOf(table: ReplicaTable, row: Row): Record<string, string | null> {
  return Object.fromEntries(table.key.map(({ name }) => [name, row[name] ?? null]))
}

function deletion(table: ReplicaTable, before: Row): PatchRow {
  return { o: 'd', t: table.id, a: audienceText(table, before), k: keyOf(table, before) }
}

function insertion(table: ReplicaTable, after: Row): PatchRow {
  const d: Record<string, string | null> = { ...after }
  // A row that comes back after a delete still holds what the server once generated.
  for (const { name, serverGenerated } of table.columns) if (serverGenerated) d[name] = null
  const left = table.columns.filter(({ name, serverDefault }) => serverDefault && (d[name] ?? null) === null)
  const z = left.length === 0 ? {} : { z: left.map(({ name }) => name) }
  return { o: 'i', t: table.id, a: audienceText(table, d), k: keyOf(table, after), d, ...z }
}
