import type { PatchRow } from '../../protocol/index.ts'
import { retryOf } from '../journal/rules/records.ts'
import { patchTables } from '../mutations/rules/patch-of-writes.ts'
import { sealNewPatches } from '../mutations/seal-patches.ts'
import type { Executor } from '../store/copies.ts'
import { type ReplicaTables, tableOf } from '../store/replica-table.ts'
import { takeKey } from '../store/rows/leased-keys.ts'
import { keepTabOf, setOriginOfCurrent } from '../store/rows/mutation-rows.ts'
import { squashMutations } from '../store/rows/sending-rows.ts'
import { beginRedo, endRedo, readCurrentMutation, setNoMutation } from '../store/rows/settings.ts'
import { storageFault } from '../store/storage-fault.ts'
import { writePatchRows } from './local-rows.ts'
import { newNames, type RefusedKey, renameKeys } from './rules/rename-keys.ts'

/**
 * Makes mutations anew that were undone and failed: with new keys for those that were refused, wherever they stand. The
 * former ones end as the new ones do. One that cannot be made stays failed. Answers the
 * number of the last, 0 where none was made.
 *
 * Rejects with the device's faults, and where no key is left.
 */
export async function remakeUnderKeys(
  tx: Executor,
  tables: ReplicaTables,
  patches: ReadonlyMap<number, readonly PatchRow[]>,
  refused: readonly RefusedKey[],
): Promise<number> {
  const renamed: (RefusedKey & { readonly to: string })[] = []
  for (const one of refused)
    renamed.push({ ...one, to: await takeKey(tx, one.sequence, tableOf(tables, one.table).name, one.column) })
  const names = newNames(renamed, patchTables(tables).keys)
  let last = 0
  await beginRedo(tx)
  for (const [former, patch] of [...patches].sort(([a], [b]) => a - b)) {
    await tx.exec('SAVEPOINT tidemark_remake')
    try {
      last = (await remakeOne(tx, tables, former, renameKeys(patch, names))) ?? last
      await tx.exec('RELEASE SAVEPOINT tidemark_remake')
    } catch (error) {
      const fault = storageFault(error)
      if (fault) throw fault
      await tx.exec('ROLLBACK TO SAVEPOINT tidemark_remake; RELEASE SAVEPOINT tidemark_remake')
    }
  }
  await endRedo(tx)
  return last
}

async function remakeOne(
  tx: Executor,
  tables: ReplicaTables,
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
