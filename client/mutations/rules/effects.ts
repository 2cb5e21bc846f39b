import type { PatchRow } from '../../../protocol/index.ts'
import { keyText, type ReplicaTables } from '../../store/replica-table.ts'
import type { CapturedWrite } from '../../store/rules/captured-write.ts'
import type { Effects } from './dependents.ts'

interface Written extends CapturedWrite {
  readonly counter: number
  readonly cascade: boolean
}

/** Answers the effects of an action's last run here, without what foreign keys did for it. */
export function effectsOfWrites(counter: number, writes: readonly Written[]): Effects {
  const own = writes.filter((write) => write.counter === counter && !write.cascade)
  return { counter, rows: own.map(({ table, key, op, after }) => ({ table, key, op, values: after })) }
}

export function effectsOfPatch(counter: number, patch: readonly PatchRow[], tables: ReplicaTables): Effects {
  const rows = patch.flatMap((row) => {
    const table = tables.get(row.t)
    if (!table) return []
    const op = ({ i: 'insert', u: 'update', d: 'delete' } as const)[row.o]
    return [{ table: row.t, key: keyText(table, row.k), op, values: row.o === 'd' ? null : row.d }]
  })
  return { counter, rows }
}
