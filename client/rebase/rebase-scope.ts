import type { ActionRunner } from '../mutations/run-action.ts'
import type { Copy } from '../store/copies.ts'
import type { ReplicaTables } from '../store/replica-table.ts'

/** The tables and audiences that pending work is undone from and redone onto, and the actions to run again. */
export interface RebaseScope {
  readonly tables: ReplicaTables
  readonly isHeld: (audience: string) => boolean
  readonly actions: ActionRunner
}

/** Answers the scope of pending work on a copy. */
export function scopeOf({ tables, joins }: Pick<Copy, 'tables' | 'joins'>, actions: ActionRunner): RebaseScope {
  return { tables, isHeld: (audience) => joins.has(audience), actions }
}
