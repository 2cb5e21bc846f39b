import { mutationId, type PatchRow, type Rejection } from '../../protocol/index.ts'
import { retryOf } from '../journal/rules/records.ts'
import { patchTables } from '../mutations/rules/patch-of-writes.ts'
import type { ActionRunner } from '../mutations/run-action.ts'
import { flagCascades, sealNewPatches } from '../mutations/seal-patches.ts'
import type { Executor } from '../store/copies.ts'
import { type ReplicaTables, tableOf } from '../store/replica-table.ts'
import { handOverKeys, keepActionKeys, parseActionKeys, takeKey } from '../store/rows/leased-keys.ts'
import { beginAction, keepTabOf, type StoredCall, setOriginOfCurrent } from '../store/rows/mutation-rows.ts'
import { failMutations } from '../store/rows/outcome-rows.ts'
import { squashMutations } from '../store/rows/sending-rows.ts'
import { beginRedo, endRedo, readCurrentMutation, setNoMutation } from '../store/rows/settings.ts'
import { storageFault } from '../store/storage-fault.ts'
import { writePatchRows } from './local-rows.ts'
import { CannotRekey, type Renamed, renamedCall } from './renamed-call.ts'
import { newNames, type RefusedKey, renameKeys } from './rules/rename-keys.ts'

interface Remaking {
  readonly tx: Executor
  readonly tables: ReplicaTables
  readonly actions: ActionRunner
  readonly clientId: string
}

/** What was undone and failed, and why. */
interface Undone {
  readonly patches: ReadonlyMap<number, readonly PatchRow[]>
  readonly calls: ReadonlyMap<number, StoredCall>
  readonly failed: ReadonlyMap<number, Rejection>
}

/**
 * Makes mutations anew that were undone and failed: with new keys for those that were refused, wherever they stand. The
 * former ones end as the new ones do. One that cannot be made stays failed. Answers the
 * number of the last, 0 where none was made.
 *
 * Rejects with the device's faults, and where no key is left.
 */
export async function remakeUnderKeys(
  remaking: Remaking,
  { patches, calls, failed }: Undone,
  refused: readonly RefusedKey[],
): Promise<number> {
  const { tx, tables } = remaking
  const keys: Renamed['keys'][number][] = []
  for (const one of refused)
    keys.push({ ...one, to: await takeKey(tx, one.sequence, tableOf(tables, one.table).name, one.column) })
  // What actions derive their ids from changes with their numbers.
  const renamed = { keys, names: newNames(keys, patchTables(tables).keys), ids: new Map<string, string>() }
  let last = 0
  await beginRedo(tx)
  for (const former of [...patches.keys(), ...calls.keys()].sort((a, b) => a - b)) {
    await tx.exec('SAVEPOINT tidemark_remake')
    try {
      const call = calls.get(former)
      const made = call
        ? await remakeCall(remaking, former, call, renamed)
        : await remakePatch(remaking, former, renameKeys(patches.get(former) ?? [], renamed.names, renamed.ids))
      last = made ?? last
      await tx.exec('SET LOCAL search_path = pg_catalog; RELEASE SAVEPOINT tidemark_remake')
    } catch (error) {
      const fault = storageFault(error)
      if (fault) throw fault
      await tx.exec('ROLLBACK TO SAVEPOINT tidemark_remake; RELEASE SAVEPOINT tidemark_remake')
      const rejection = failed.get(former)
      if (rejection && error instanceof CannotRekey)
        await failMutations(tx, new Map([[former, { ...rejection, message: error.message }]]))
    }
  }
  await endRedo(tx)
  return last
}

async function remakePatch(
  { tx, tables }: Remaking,
  former: number,
  patch: readonly PatchRow[],
): Promise<number | null> {
  await setNoMutation(tx)
  const missing = await writePatchRows(tx, tables, patch)
  if (missing) throw new Error(`A row of ${missing.table.id} is not there any more.`)
  await tx.exec('SET CONSTRAINTS ALL IMMEDIATE')
  const made = await readCurrentMutation(tx)
  if (made === null) return null
  await setOriginOfCurrent(tx, retryOf(former))
  await sealNewPatches(tx, tables)
  await keepTabOf(tx, former, made)
  await squashMutations(tx, made, [former])
  return made
}

async function remakeCall(
  { tx, tables, actions, clientId }: Remaking,
  former: number,
  call: StoredCall,
  renamed: Renamed,
): Promise<number> {
  const { name } = call
  const args = renamedCall(actions, call, renamed, tables)
  await setNoMutation(tx)
  const { counter, at } = await beginAction(tx, name, args)
  await setOriginOfCurrent(tx, retryOf(former))
  const to = new Map(renamed.keys.map((one) => [`${one.sequence} ${one.key}`, one.to]))
  const taken = Object.entries(parseActionKeys(call.keys)).map(
    ([sequence, keys]) => [sequence, keys.map((key) => to.get(`${sequence} ${key}`) ?? key)] as const,
  )
  if (taken.length > 0) await keepActionKeys(tx, counter, Object.fromEntries(taken))
  await handOverKeys(tx, former, counter)
  await actions.runAction(tx, tables, { counter, name, args, at }, (id, idIn) =>
    renamed.ids.set(idIn(mutationId(clientId, former)), id),
  )
  await flagCascades(tx, tables, [counter])
  await keepTabOf(tx, former, counter)
  await squashMutations(tx, counter, [former])
  return counter
}
