import type { Lsn } from '../../protocol/index.ts'
import type { ActionRunner } from '../mutations/run-action.ts'
import { withAllUndone } from '../rebase/apply-under-pending.ts'
import type { Copy, Executor } from '../store/copies.ts'
import { heldBy } from './held-by.ts'
import { isLasting } from './refused-tables.ts'
import { type Phase, planVersions, planWithoutSteps } from './rules/plan-versions.ts'
import { isUnderRows, stepTables } from './step-tables.ts'

/** The things that a transaction needs to redo pending work on tables that it changes. */
export interface RedoHost {
  readonly actions: ActionRunner
  /** Reports objects of the app that could not be carried over. */
  readonly warn: (loss: string) => void
  readonly hasPending: boolean
}

/**
 * Steps to a version at its place; where the database refuses its steps, goes there without them, so that what they would
 * have changed is loaded anew, once. Rule MIG-R5.
 */
export async function stepToVersion(
  tx: Executor,
  copy: Copy,
  phase: Phase,
  host: RedoHost,
): Promise<{ readonly copy: Copy; readonly missed: string | null }> {
  // It is not released: that is one call more, and the end of the transaction does it.
  await tx.exec('SAVEPOINT tidemark_phase')
  try {
    return { copy: await stepUnderPending(tx, copy, phase, host), missed: null }
  } catch (error) {
    if (!isLasting(error) || phase.changes.length === 0) throw error
    await tx.exec('ROLLBACK TO SAVEPOINT tidemark_phase; RELEASE SAVEPOINT tidemark_phase')
    const { version } = phase
    const held = heldBy(copy)
    const cause = error instanceof Error ? error.message : String(error)
    const missed = `Version ${version.version} of the schema cannot be made from the one before here; the tables that it changes are loaded anew: ${cause}`
    host.warn(missed)
    return { copy: await stepUnderPending(tx, copy, planWithoutSteps(held, version), host), missed }
  }
}

/** Steps to a version with pending work done again on the tables as they are then. */
async function stepUnderPending(
  tx: Executor,
  copy: Copy,
  phase: Phase,
  { actions, warn, hasPending }: RedoHost,
): Promise<Copy> {
  const host = { warn, hasPending }
  if (!hasPending || !isUnderRows(phase)) return (await stepTables(tx, copy, phase, host)).copy
  return withAllUndone(tx, copy, actions, async (failing) => {
    const stepped = await stepTables(tx, copy, phase, host)
    for (const [counter, rejection] of stepped.emptied) failing.set(counter, rejection)
    return stepped.copy
  })
}

/** Plans a phase from what the copy has where a step before it failed. */
export function planAnew(copy: Copy, cursor: Lsn, phase: Phase): Phase {
  const [anew = phase] = planVersions(heldBy(copy), cursor, [phase.version]).phases
  return anew
}
