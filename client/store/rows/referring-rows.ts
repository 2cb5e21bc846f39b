import { quoteIdentifier, type Row, type Value } from '../../../protocol/index.ts'
import type { Executor } from '../copies.ts'
import { keyRow, type ReplicaTables } from '../replica-table.ts'
import type { ForeignKey } from '../rules/foreign-keys.ts'

/** A row that goes, or stays or comes. */
interface GoingRow {
  readonly table: string
  readonly key: Row
  readonly from: Row | null
  readonly to: Row | null
  readonly columns: readonly string[]
}

/** The most rows that are told of one that would go. */
const MOST_ROWS = 20

/** Finds rows that refer to rows which are to go, and do not go themselves; values are text under the pinned settings. */
export async function findReferring(
  tx: Executor,
  tables: ReplicaTables,
  keys: readonly Pick<ForeignKey, 'table' | 'columns' | 'parent' | 'parentColumns'>[],
  steps: readonly GoingRow[],
): Promise<{ table: string; key: Row; columns: readonly string[] }[]> {
  const nameOf = (table: string, key: Row) => JSON.stringify([table, Object.values(keyRow(tables, table, key))])
  const found = new Map<string, { table: string; key: Row; columns: readonly string[] }>()
  for (const { table, from, to } of steps) {
    if (from === null || to !== null) continue
    for (const { columns, parentColumns, table: child } of keys.filter(({ parent }) => parent === table)) {
      const values = parentColumns.map((name): Value => from[name] ?? null)
      if (values.includes(null)) continue
      // One that goes too, or refers elsewhere afterwards, is in nobody's way.
      const parting = steps.filter((step) => step.to === null || step.columns.some((name) => columns.includes(name)))
      const leaving = new Set(parting.map((step) => nameOf(step.table, step.key)))
      const own = tables.get(child)
      if (!own) continue
      const isSame = columns.map(
        (name, index) =>
          `t.${quoteIdentifier(name)} = $${index + 1}::text::${own.columnByName.get(name)?.type ?? 'text'}`,
      )
      const { rows } = await tx.query<Record<string, string>>(
        `SELECT ${own.key.map(({ name }) => `t.${quoteIdentifier(name)}::text AS ${quoteIdentifier(name)}`).join(', ')}
         FROM ${own.name} AS t WHERE ${isSame.join(' AND ')} LIMIT ${steps.length + MOST_ROWS}`,
        values,
      )
      for (const key of rows) {
        const name = nameOf(child, key)
        if (!leaving.has(name)) found.set(name, { table: child, key, columns })
      }
    }
  }
  return [...found.values()].slice(0, MOST_ROWS)
}
