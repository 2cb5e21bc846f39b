import type { Change } from '../../../protocol/index.ts'
import { keyText, type ReplicaTables } from '../../store/replica-table.ts'
import { type CapturedWrite, changedColumns, rowId } from '../../store/rules/captured-write.ts'

/** Answers whether a mutation's committed changes equal the net effect of its writes here, so that no row must move. */
export function isExact(changes: readonly Change[], writes: readonly CapturedWrite[], tables: ReplicaTables): boolean {
  const nets = new Map<string, { readonly first: CapturedWrite; last: CapturedWrite }>()
  for (const write of writes) {
    const id = rowId(write.table, write.key)
    const net = nets.get(id)
    if (net) net.last = write
    else nets.set(id, { first: write, last: write })
  }
  for (const change of changes) {
    const table = tables.get(change.table)
    if (change.op === 'truncate' || !table) return false
    const id = rowId(change.table, keyText(table, change.op === 'insert' ? change.data : change.key))
    const net = nets.get(id)
    if (!net) return false
    // Each row counts once; rows left over were predicted and not written.
    nets.delete(id)
    const { before } = net.first
    const { after } = net.last
    if ((before === null) !== (change.op === 'insert') || (after === null) !== (change.op === 'delete')) return false
    if (change.op === 'delete' || after === null) continue
    const differs = Object.entries(change.data).some(([name, value]) => after[name] !== value)
    const written = before === null ? Object.keys(after) : changedColumns(before, after)
    if (differs || !written.every((name) => Object.hasOwn(change.data, name))) return false
  }
  return [...nets.values()].every(({ first: { before }, last: { after } }) => {
    if (before === null || after === null) return before === after
    return changedColumns(before, after).length === 0
  })
}
