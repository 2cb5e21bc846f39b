import {
  conversionsOf,
  findUnconverted,
  mapKeys,
  mapPatch,
  mapPredicted,
  type PatchRow,
  type Rejection,
  unconvertedRejection,
  type VersionNames,
} from '../../protocol/index.ts'
import type { Executor } from '../store/copies.ts'
import {
  forgetPredictions,
  readOpenPatches,
  readUnsettledPredictions,
  writePatches,
  writePredictions,
} from '../store/rows/mutation-rows.ts'
import { storageFault } from '../store/storage-fault.ts'

/**
 * Says pending and failed work in later names and types. Rules MIG-R4 and MIG-R10. Answers what has nothing left, or
 * cannot be said; its patch keeps its values, so that the app sees what its user meant. A frozen request stays as it left. Of
 * those that a journal kept and that are said in another version than the copy's, these alone are mapped, or none.
 */
export async function mapPatches(
  tx: Executor,
  names: VersionNames,
  recovered: ReadonlySet<number> | null = null,
): Promise<Map<number, Rejection>> {
  const emptied = new Map<number, Rejection>()
  if (names.size === 0) return emptied
  const all = await readOpenPatches(tx, recovered !== null)
  const open = recovered === null ? all : all.filter(({ counter }) => recovered.has(counter))
  const convert = await conversionsOf(
    (ask) => {
      for (const { patch } of open) mapPatch(patch, names, ask)
    },
    (sql, values) => convertHere(tx, sql, values),
  )
  const mapped: { counter: number; patch: readonly PatchRow[] }[] = []
  for (const { counter, attempted, patch } of open) {
    const lost = findUnconverted(patch, names, convert)
    const next = lost === null ? mapPatch(patch, names, convert) : []
    const isEmptied = next.length === 0 && patch.length > 0 && !attempted
    if (isEmptied) emptied.set(counter, lost === null ? NOTHING_LEFT : unconvertedRejection(lost))
    mapped.push({ counter, patch: isEmptied ? mapKeys(patch, names, convert) : next })
  }
  if (mapped.length > 0) await writePatches(tx, mapped)
  return emptied
}

const NOTHING_LEFT: Rejection = {
  kind: 'outdated-schema',
  message: 'A migration dropped the columns that this changed, so that nothing of it is left to do.',
}

/**
 * Says what sent mutations predicted in the names of the version, as the server does with those that it decides under it;
 * what cannot be said is forgotten, so that their rows are asked for.
 */
export async function mapPredictions(tx: Executor, names: VersionNames): Promise<void> {
  if (names.size === 0) return
  const predictions = await readUnsettledPredictions(tx)
  if (predictions.size === 0) return
  const convert = await conversionsOf(
    (ask) => {
      for (const predicted of predictions.values()) mapPredicted(predicted, names, ask)
    },
    (sql, values) => convertHere(tx, sql, values),
  )
  const [lost, known] = [[...predictions], [...predictions]].map((all, index) =>
    all.filter(([, predicted]) => (findUnconverted(predicted, names, convert) === null) === (index === 1)),
  )
  await forgetPredictions(tx, lost?.map(([counter]) => counter) ?? [])
  await writePredictions(
    tx,
    new Map(known?.map(([counter, predicted]) => [counter, mapPredicted(predicted, names, convert)])),
  )
}

/** Forgets predictions that may hold values of other types: where everything is loaded they were not followed. */
export async function forgetRetypedPredictions(tx: Executor, owed: VersionNames): Promise<void> {
  const retyped = new Set([...owed].flatMap(([from, its]) => (its.retyped.size > 0 ? [from, its.table] : [])))
  if (retyped.size === 0) return
  const predictions = await readUnsettledPredictions(tx)
  const lost = [...predictions].filter(([, predicted]) => predicted.some(({ t }) => retyped.has(t)))
  await forgetPredictions(
    tx,
    lost.map(([counter]) => counter),
  )
}

/** Converts values in a transaction that is under the settings of server rows; null where that is refused. */
async function convertHere(tx: Executor, sql: string, values: string): Promise<(string | null)[] | null> {
  await tx.exec('SAVEPOINT tidemark_convert')
  try {
    const { rows } = await tx.query<{ value: string | null }>(sql, [values])
    await tx.exec('RELEASE SAVEPOINT tidemark_convert')
    return rows.map(({ value }) => value)
  } catch (error) {
    if (storageFault(error)) throw error
    await tx.exec('ROLLBACK TO SAVEPOINT tidemark_convert; RELEASE SAVEPOINT tidemark_convert')
    return null
  }
}
