import type { PatchRow } from '../../protocol/index.ts'
import type { Executor } from '../store/copies.ts'
import type { ReplicaTables } from '../store/replica-table.ts'
import type { Unsettled } from '../store/rows/mutation-rows.ts'
import { type RedoPatch, redoPatches } from '../store/rows/redo-patches.ts'
import { beginRedo, endRedo, setCurrentMutation } from '../store/rows/settings.ts'
import { storageFault } from '../store/storage-fault.ts'
import type { RebaseScope } from './rebase-scope.ts'
import { redoSteps } from './redo-steps.ts'
import { groupByKind, type Miss } from './rules/judge-misses.ts'
import { rejectionOfFault, rejectionOfThrown } from './rules/rejection-of.ts'

/** Mutations to do again, and what is known of them. */
export interface Redoing {
  /** In their order. */
  readonly list: readonly Unsettled[]
  readonly patches: ReadonlyMap<number, readonly PatchRow[]>
  /** For each, the earlier ones on which it builds. */
  readonly on: ReadonlyMap<number, readonly number[]>
}

/**
 * Does mutations again on the rows as they are now, each whole or not at all, and answers why some could not be done.
 *
 * Rejects with the device's faults and with ours, which are not the mutations'.
 */
export async function redoMutations(tx: Executor, scope: RebaseScope, redoing: Redoing): Promise<Map<number, Miss>> {
  const misses = new Map<number, Miss>()
  await beginRedo(tx)
  for (const group of groupByKind(redoing.list)) {
    if (group[0]?.kind === 'action') for (const one of group) await redoAction(tx, scope, one, redoing, misses)
    else await redoGroup(tx, scope, group, redoing, misses)
  }
  await endRedo(tx)
  return misses
}

async function redoGroup(
  tx: Executor,
  { tables, isHeld }: RebaseScope,
  group: readonly Unsettled[],
  { patches, on }: Redoing,
  misses: Map<number, Miss>,
): Promise<void> {
  const items: RedoPatch[] = []
  for (const { counter } of group) {
    const found = redoSteps(patches.get(counter) ?? [], tables, isHeld)
    const missed = on.get(counter)?.find((earlier) => misses.has(earlier))
    if (missed !== undefined) misses.set(counter, { on: missed })
    else if ('rejection' in found) misses.set(counter, found)
    else items.push({ counter, after: on.get(counter) ?? [], steps: found.steps })
  }
  if (items.length === 0) return
  for (const miss of await redoPatches(tx, items)) {
    if ('on' in miss) misses.set(miss.counter, { on: miss.on })
    else {
      const fault = { ...miss.fault, table: tableNamed(miss.fault.table, tables) }
      misses.set(miss.counter, { rejection: rejectionOfFault(fault) })
    }
  }
}

async function redoAction(
  tx: Executor,
  { actions, tables }: RebaseScope,
  { counter, name, args, at }: Unsettled,
  { on }: Redoing,
  misses: Map<number, Miss>,
): Promise<void> {
  const missed = on.get(counter)?.find((earlier) => misses.has(earlier))
  if (missed !== undefined) {
    misses.set(counter, { on: missed })
    return
  }
  await tx.exec('SAVEPOINT tidemark_redo')
  try {
    await setCurrentMutation(tx, counter)
    await actions.runAction(tx, tables, { counter, name: name ?? '', args: args ?? 'null', at })
    await tx.exec('SET LOCAL search_path = pg_catalog; RELEASE SAVEPOINT tidemark_redo')
  } catch (error) {
    const fault = storageFault(error)
    if (fault) throw fault
    await tx.exec('ROLLBACK TO SAVEPOINT tidemark_redo; RELEASE SAVEPOINT tidemark_redo')
    misses.set(counter, { rejection: rejectionOfThrown(error) })
  }
}

/** Finds the table that Postgres names without its schema; null where two share the name. */
function tableNamed(name: string | null, tables: ReplicaTables): string | null {
  if (name === null || tables.has(name)) return name
  const found = [...tables.values()].filter(({ definition }) => definition.name === name)
  return found.length === 1 ? (found[0]?.id ?? null) : null
}
