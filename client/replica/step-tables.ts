import {
  mapKeys,
  mapPatch,
  mapPredicted,
  namesOfVersion,
  type PatchRow,
  quoteTable,
  type Rejection,
  type TableDefinition,
  type VersionNames,
} from '../../protocol/index.ts'
import { sealNewPatches } from '../mutations/seal-patches.ts'
import { type Copy, type Executor, writeDefinition } from '../store/copies.ts'
import { replaceTables, retiredName, triggersOf } from '../store/definition-ddl.ts'
import { heldDefinition, heldTables } from '../store/held-tables.ts'
import { makeTables } from '../store/make-tables.ts'
import type { ReplicaTables } from '../store/replica-table.ts'
import { writeCount } from '../store/rows/copy-rows.ts'
import {
  readOpenPatches,
  readUnsettledPredictions,
  writePatches,
  writePredictions,
} from '../store/rows/mutation-rows.ts'
import { notifyLiveQueries } from '../store/server-rows.ts'
import {
  type Altering,
  labelStatements,
  newTypeStatements,
  steppedTable,
  stepStatements,
  typesBeyond,
} from '../store/step-ddl.ts'
import { detachViews, dropViews, type HangingObjects, readOwnObjects, remakeObjects } from './hanging-objects.ts'
import { countRows, ensurePrimaryKeys, finishTables } from './join.ts'
import type { Held, Phase } from './rules/plan-versions.ts'

/** Answers whether nothing pending may lie on the rows while the tables step to this phase. */
export const isUnderRows = ({ changes, gone }: Phase): boolean => gone.length > 0 || changes.length > 0

/** Answers what a copy has, as versions are planned from it. */
export function heldBy({ definition, refused, behind }: Copy): Held {
  return {
    version: definition.version,
    definition: heldDefinition(definition.definition, refused),
    behind: new Set([...behind, ...Object.keys(refused)]),
  }
}

/** The result of a phase: the copy, and mutations of which nothing is left to do. */
export interface SteppedTables {
  readonly copy: Copy
  readonly emptied: ReadonlyMap<number, Rejection>
}

/**
 * Makes the live tables those of the next version, in the transaction that brings the cursor to its place. Rule MIG-R2.
 *
 * Call it with nothing pending on the rows where `isUnderRows`. Throws what the database says of a step that fails.
 */
export async function stepTables(
  tx: Executor,
  live: Copy,
  phase: Phase,
  warn: (loss: string) => void,
): Promise<SteppedTables> {
  // Writes captured so far are sealed before, so that they keep their meaning.
  await sealNewPatches(tx, live.tables)
  const after = phase.inForce.definition
  const altering = phase.changes.flatMap(({ before, after: table, step }): Altering[] =>
    before === null ? [] : [{ before, after: table, step }],
  )
  const refused = Object.fromEntries(Object.entries(live.refused).filter(([id]) => phase.behind.has(id)))
  const tables = heldTables(after, refused, 'live')
  const gone = await dropTables(tx, phase.gone)
  const losses = await alterTables(tx, live, tables, phase, altering)
  for (const loss of [...losses, ...(await remakeObjects(tx, gone.hanging))]) warn(loss)
  const names = namesOfVersion(phase.version)
  const followed = new Set(altering.map(({ before }) => before.id))
  const emptied = await mapPatches(tx, new Map([...names].filter(([id]) => followed.has(id))))
  await mapPredictions(tx, names)
  const rows = live.rows - gone.rows
  const copy: Copy = { ...live, definition: phase.inForce, behind: phase.behind, refused, tables, rows }
  await writeDefinition(tx, 'live', phase.inForce, { refused, behind: phase.behind })
  await writeCount(tx, rows)
  const changed = new Set(phase.changes.map((change) => change.after.id))
  const touched = [...tables.values()].filter(({ id }) => changed.has(id)).map(({ name }) => name)
  await notifyLiveQueries(tx, touched)
  return { copy, emptied }
}

/** Drops tables, and what reads them, which may be made again over others of their names. */
async function dropTables(
  tx: Executor,
  tables: readonly TableDefinition[],
): Promise<{ readonly rows: number; readonly hanging: HangingObjects }> {
  const hanging = await detachViews(tx, tables)
  await dropViews(tx, hanging)
  let rows = 0
  for (const table of tables) {
    rows += await countRows(tx, quoteTable(table))
    await tx.exec(`DROP TABLE ${quoteTable(table)} CASCADE`)
  }
  return { rows, hanging }
}

/** Alters the tables that have steps, and gives all of them what the version says; answers the app's losses. */
async function alterTables(
  tx: Executor,
  live: Copy,
  tables: ReplicaTables,
  phase: Phase,
  altering: readonly Altering[],
): Promise<string[]> {
  const { definition } = heldBy(live)
  const after = phase.inForce.definition
  const altered = altering.map((one) => one.after)
  // An object that the app hung on a column goes with it, and nothing else does.
  const dropping = altering.filter(({ before, step }) => before.columns.length > countCarried(step))
  const own = await readOwnObjects(
    tx,
    dropping.map(({ before }) => before),
    definition.tables,
  )
  const { renames, alters } = stepStatements(altering)
  await tx.exec([...labelStatements(definition.types, after.types), ...renames].join('\n'))
  const hanging = await detachViews(tx, altered)
  await dropViews(tx, hanging)
  await tx.exec([...newTypeStatements(definition.types, after.types), ...alters].join('\n'))
  const moved = new Set(altering.map(({ before }) => before))
  const staying = definition.tables.filter((table) => !phase.gone.includes(table) && !moved.has(table))
  const between = {
    types: [...after.types, ...typesBeyond(after.types, definition.types)],
    tables: [...staying, ...altering.map(steppedTable)],
  }
  const made = triggersOf(live.tables, new Set(staying.map(({ id }) => id)))
  await makeTables(tx, replaceTables(between, after, retiredName(), made).statements)
  const widened = altering.filter(({ before, after: table, step }) => isOnlyWider(before, table, step))
  const finished = [...staying, ...widened.map(({ before }) => before)]
  const others = [...tables.values()].filter(({ definition: table }) => !finished.some((one) => isFinished(one, table)))
  await ensurePrimaryKeys(tx, others)
  await finishTables(tx, others, () => false)
  const losses = await remakeObjects(tx, hanging)
  const left = await readOwnObjects(
    tx,
    dropping.map((one) => one.after),
    after.tables,
  )
  const gone = own.filter(({ what }) => !left.some((one) => one.what === what))
  return [...losses, ...gone.map(({ what }) => `The app's ${what} went with what a migration dropped.`)]
}

const countCarried = ({ columns }: Altering['step']) => columns.filter(({ from }) => from !== null).length

/** Answers whether a table was only given columns, so that nothing that hangs on the others was touched. */
const isOnlyWider = (before: TableDefinition, after: TableDefinition, step: Altering['step']) =>
  before.id === after.id &&
  before.columns.every(({ name, type }) => {
    const same = step.columns.some((column) => column.name === name && column.from === name)
    return same && after.columns.some((column) => column.name === name && column.type === type)
  })

/** Answers whether a table that stays has every key, index and constraint that it is to have. */
const isFinished = (before: TableDefinition, after: TableDefinition) =>
  before.id === after.id && partsOf(before) === partsOf(after)

const partsOf = ({ primaryKey, uniques, indexes, foreignKeys }: TableDefinition) =>
  JSON.stringify([primaryKey, uniques, indexes, foreignKeys])

/**
 * Says pending and failed work in the names of the version. Answers what has nothing left; its patch keeps its values, so
 * that the app sees what its user meant. A frozen request stays as it left.
 */
async function mapPatches(tx: Executor, names: VersionNames): Promise<Map<number, Rejection>> {
  const emptied = new Map<number, Rejection>()
  if (names.size === 0) return emptied
  const mapped: { counter: number; patch: readonly PatchRow[] }[] = []
  for (const { counter, attempted, patch } of await readOpenPatches(tx)) {
    const next = mapPatch(patch, names)
    const isEmptied = next.length === 0 && patch.length > 0 && !attempted
    if (isEmptied) emptied.set(counter, NOTHING_LEFT)
    mapped.push({ counter, patch: isEmptied ? mapKeys(patch, names) : next })
  }
  await writePatches(tx, mapped)
  return emptied
}

/**
 * Says what sent mutations predicted in the names of the version, as the server does with those that it decides under it.
 * Those that it decided before came in the stream before the version.
 */
async function mapPredictions(tx: Executor, names: VersionNames): Promise<void> {
  if (names.size === 0) return
  const predictions = await readUnsettledPredictions(tx)
  const mapped = [...predictions].map(([counter, predicted]) => [counter, mapPredicted(predicted, names)] as const)
  await writePredictions(tx, new Map(mapped))
}

const NOTHING_LEFT: Rejection = {
  kind: 'outdated-schema',
  message: 'A migration dropped the columns that this changed, so that nothing of it is left to do.',
}
