import { audienceOf, type PredictedChange, type Row } from '../../../protocol/index.ts'
import { keyRow, type ReplicaTables } from '../../store/replica-table.ts'
import { netImages, type RowImage } from './reverse-rows.ts'

/** Answers the net effect of these writes, row by row, as the stream would bring it, without rows of no audience. */
export function predictedChanges(writes: readonly RowImage[], tables: ReplicaTables): PredictedChange[] {
  const keyOf = (id: string, row: Row) => keyRow(tables, id, row)
  return netImages(writes, keyOf).flatMap(({ table: t, before, after }): PredictedChange[] => {
    const rule = tables.get(t)?.audience
    const from = before && rule ? audienceOf(rule, before) : null
    const to = after && rule ? audienceOf(rule, after) : null
    if (before && after && from !== null && from === to) {
      const changed = Object.entries(after).filter(([name, value]) => before[name] !== value)
      return changed.length === 0 ? [] : [{ o: 'u', t, a: to, k: keyOf(t, after), d: Object.fromEntries(changed) }]
    }
    const gone: PredictedChange[] = before && from !== null ? [{ o: 'd', t, a: from, k: keyOf(t, before) }] : []
    const come: PredictedChange[] =
      after && to !== null ? [{ o: 'i', t, a: to, k: keyOf(t, after), d: { ...after } }] : []
    return [...gone, ...come]
  })
}
