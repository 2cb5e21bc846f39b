import { quoteIdentifier, type Rejection } from '../../protocol/index.ts'
import type { ActionRunner } from '../mutations/run-action.ts'
import { sealNewPatches } from '../mutations/seal-patches.ts'
import { redoAtJoin } from '../rebase/apply-under-pending.ts'
import { type Copy, deleteCopy, type Executor, readCopies, setStage, writeDefinition } from '../store/copies.ts'
import { dropAside, replaceTables, retiredName } from '../store/definition-ddl.ts'
import { heldDefinition, heldTables } from '../store/held-tables.ts'
import { makeTables } from '../store/make-tables.ts'
import type { ReplicaTable } from '../store/replica-table.ts'
import { forgetManifests } from '../store/rows/audience-rows.ts'
import { deleteMarks } from '../store/rows/chunk-rows.ts'
import { mergeAside, replaceLiveCopy, writeCount } from '../store/rows/copy-rows.ts'
import { countRows, ensurePrimaryKeys, finishTables } from './finish-tables.ts'
import { loadSeldomParts } from './load-seldom-parts.ts'
import { forgetRetypedPredictions, mapPatches } from './map-patches.ts'
import { mapRecovered, readRecovered } from './map-recovered.ts'
import { isLasting, TableFault } from './refused-tables.ts'

interface JoinHost {
  readonly actions: ActionRunner
  /** Reports objects of the app that could not be carried over. */
  readonly warn: (loss: string) => void
}

/**
 * Makes a copy that has reached its fences the replica, within the transaction that brought it there.
 *
 * Pending work is done again on it. A copy aside replaces the rows of the live tables; tables that are alike in both
 * stay, and the objects that hang on the others are made again.
 */
export async function joinCopy(tx: Executor, copy: Copy, { actions, warn }: JoinHost): Promise<Copy> {
  const live: Copy = {
    ...copy,
    place: 'live',
    stage: 'joined',
    tables: heldTables(copy.definition.definition, copy.refused, 'live'),
    manifests: [],
    owed: new Map(),
  }
  const losses = copy.place === 'aside' ? await replaceLiveRows(tx, copy, live) : await finishAll(tx, live)
  await mapRecovered(
    tx,
    await readRecovered(tx, { epoch: copy.epoch, version: copy.definition.version }),
    copy.definition.definition,
  )
  const emptied = await mapPatches(tx, copy.owed)
  await forgetRetypedPredictions(tx, copy.owed)
  await setStage(tx, 'live', 'joined')
  await writeDefinition(tx, 'live', live.definition, live)
  await forgetManifests(tx)
  await deleteMarks(tx)
  await redoAtJoin(tx, live, actions, emptied)
  for (const loss of losses) warn(loss)
  return live
}

async function finishAll(tx: Executor, live: Copy): Promise<readonly string[]> {
  await ensurePrimaryKeys(tx, live.tables.values())
  await finishTables(tx, [...live.tables.values()], () => true)
  return []
}

async function replaceLiveRows(tx: Executor, aside: Copy, live: Copy): Promise<string[]> {
  const old = (await readCopies(tx)).find(({ place }) => place === 'live')
  const losses = await replaceLiveTables(tx, old ?? null, aside, live, () => true)
  await replaceLiveCopy(tx)
  return losses
}

/**
 * Makes the live tables those of another definition, and fills some from the copy aside. Answers the app's losses.
 *
 * Throws `bad-input` where a local name is one of the synced schema.
 */
async function replaceLiveTables(
  tx: Executor,
  old: Copy | null,
  aside: Copy,
  live: Copy,
  isFilled: (table: string) => boolean,
): Promise<string[]> {
  const before = old && heldDefinition(old.definition.definition, old.refused)
  // Writes captured on tables that are dropped are sealed before, so that they keep their meaning.
  if (old) await sealNewPatches(tx, old.tables)
  const after = heldDefinition(live.definition.definition, live.refused)
  const { dropped, kept, statements } = replaceTables(before, after, retiredName())
  // Whoever joins a copy aside has loaded it before the transaction began.
  const { detachObjects, remakeObjects } = await loadSeldomParts()
  const hanging = await detachObjects(tx, dropped, before?.tables ?? [])
  await makeTables(tx, statements)
  for (const table of live.tables.values()) {
    const source = aside.tables.get(table.id)
    if (!source || !isFilled(table.id)) continue
    if (kept.has(table.id)) await tx.exec(`DELETE FROM ${table.name}`)
    await copyRows(tx, source, table)
  }
  await tx.exec(dropAside())
  await ensurePrimaryKeys(tx, live.tables.values())
  await finishTables(tx, [...live.tables.values()], ({ id }) => isFilled(id))
  return remakeObjects(tx, hanging)
}

/**
 * Makes the live tables those of a later definition, filling those that were loaded beside, and says the work on them in
 * its names. Answers the copy, and mutations of which nothing is left. Rules HYD-R6 and MIG-R4.
 */
export async function joinRenewal(
  tx: Executor,
  live: Copy,
  beside: Copy,
  renewed: ReadonlySet<string>,
  warn: (loss: string) => void,
): Promise<{ readonly copy: Copy; readonly emptied: ReadonlyMap<number, Rejection> }> {
  const { definition, refused } = beside
  let gone = 0
  for (const { id, name } of live.tables.values()) if (live.behind.has(id)) gone += await countRows(tx, name)
  const tables = heldTables(definition.definition, refused, 'live')
  const rows = live.rows - gone + beside.rows
  const joined: Copy = { ...live, definition, refused, behind: new Set(), owed: new Map(), tables, rows }
  const losses = await replaceLiveTables(tx, live, beside, joined, (id) => renewed.has(id))
  const emptied = await mapPatches(tx, live.owed)
  await deleteCopy(tx, 'aside')
  await writeCount(tx, joined.rows)
  await writeDefinition(tx, 'live', definition, { refused })
  await deleteMarks(tx)
  for (const loss of losses) warn(loss)
  return { copy: joined, emptied }
}

async function copyRows(tx: Executor, source: ReplicaTable, target: ReplicaTable): Promise<number> {
  const columns = target.columns.map(({ name }) => quoteIdentifier(name)).join(', ')
  const values = target.columns.map(({ name, type }) => `${quoteIdentifier(name)}::${type}`).join(', ')
  try {
    const { affectedRows = 0 } = await tx.query(
      `INSERT INTO ${target.name} (${columns}) SELECT ${values} FROM ${source.name}`,
    )
    return affectedRows
  } catch (error) {
    throw isLasting(error) ? new TableFault(target.id, error) : error
  }
}

/**
 * Adds the rows of audiences loaded aside to those shown, within the transaction that brought both to one LSN.
 *
 * Throws where a row is already there, because the two copies then do not belong together.
 */
export async function joinAddition(tx: Executor, live: Copy, addition: Copy): Promise<Copy> {
  for (const table of live.tables.values()) {
    const source = addition.tables.get(table.id)
    if (source) await copyRows(tx, source, table)
  }
  const joined: Copy = {
    ...live,
    rows: live.rows + addition.rows,
    joins: new Map([...live.joins, ...addition.joins]),
  }
  await tx.exec(dropAside())
  await mergeAside(tx, joined.rows)
  await deleteMarks(tx)
  return joined
}
