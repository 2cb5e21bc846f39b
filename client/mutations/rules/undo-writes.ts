import type { Net } from '../../store/fold-changes.ts'
import type { ReplicaTables } from '../../store/replica-table.ts'
import { type CapturedWrite, changedColumns } from '../../store/rules/captured-write.ts'

/** Answers the changes, by table, that put these rows back. A row's writes must be its last ones, in their order. */
export function undoWrites(writes: readonly CapturedWrite[], tables: ReplicaTables): Map<string, Map<string, Net>> {
  const spans = new Map<string, Map<string, { readonly first: CapturedWrite; last: CapturedWrite }>>()
  for (const write of writes) {
    const rows = spans.get(write.table) ?? new Map<string, { first: CapturedWrite; last: CapturedWrite }>()
    spans.set(write.table, rows)
    const span = rows.get(write.key)
    if (span) span.last = write
    else rows.set(write.key, { first: write, last: write })
  }
  const nets = new Map<string, Map<string, Net>>()
  for (const [id, rows] of spans) {
    const table = tables.get(id)
    const ofTable = new Map<string, Net>()
    nets.set(id, ofTable)
    for (const [key, { first, last }] of rows) {
      const { before } = first
      const { after } = last
      const image = before ?? after
      if (!table || !image) continue
      const at = Object.fromEntries(table.key.map(({ name }) => [name, image[name] ?? null]))
      if (before && after) {
        const columns = changedColumns(after, before)
        const row = Object.fromEntries(columns.map((column) => [column, before[column] ?? null]))
        ofTable.set(key, { kind: 'update', key: at, row })
      } else ofTable.set(key, before ? { kind: 'insert', row: before } : { kind: 'delete', key: at })
    }
  }
  return nets
}
