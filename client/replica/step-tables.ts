import {
  namesOfVersion,
  quoteTable,
  type Rejection,
  saysOtherwise,
  type TableDefinition,
} from '../../protocol/index.ts'
import { sealNewPatches } from '../mutations/seal-patches.ts'
import { type Copy, changedTables, copyStatement, type Executor } from '../store/copies.ts'
import type { Database } from '../store/database.ts'
import { findUntouched, replaceTables, retiredName, triggersOf } from '../store/definition-ddl.ts'
import { findOtherwise } from '../store/find-otherwise.ts'
import { heldTables } from '../store/held-tables.ts'
import { makeTables } from '../store/make-tables.ts'
import type { ReplicaTable } from '../store/replica-table.ts'
import { stepCopy } from '../store/rows/copy-stepped.ts'
import {
  type Altering,
  labelStatements,
  newTypeStatements,
  steppedTable,
  stepStatements,
  typesBeyond,
} from '../store/step-ddl.ts'
import { countRows, ensurePrimaryKeys, finishTables } from './finish-tables.ts'
import { detachViews, dropViews, type HangingObjects, readOwnObjects, remakeObjects } from './hanging-objects.ts'
import { heldBy } from './held-by.ts'
import { mapPatches, mapPredictions } from './map-patches.ts'
import type { Phase } from './rules/plan-versions.ts'

/** Answers whether nothing pending may lie on the rows while the tables step to this phase. */
export const isUnderRows = ({ changes, gone }: Phase): boolean => gone.length > 0 || changes.length > 0

/** The result of a phase: the copy, and mutations of which nothing is left to do. */
export interface SteppedTables {
  readonly copy: Copy
  readonly emptied: ReadonlyMap<number, Rejection>
}

/**
 * Makes the live tables those of the next version, in the transaction that brings the cursor to its place, and notes where
 * the copy is by then. Rule MIG-R2.
 *
 * Call it with nothing pending on the rows where `isUnderRows`. Throws what the database says of a step that fails, and where
 * tables are not as they would be made anew (MIG-R23).
 */
export async function stepTables(
  tx: Executor,
  live: Copy,
  phase: Phase,
  { warn, hasPending }: { readonly warn: (loss: string) => void; readonly hasPending: boolean },
): Promise<SteppedTables> {
  // Writes captured so far are sealed before, so that they keep their meaning.
  if (hasPending) await sealNewPatches(tx, live.tables)
  const gone = await dropTables(tx, phase.gone)
  const next = copyAfter(live, phase)
  const copy: Copy = { ...next, rows: live.rows - gone.rows }
  const losses = await alterTables(tx, live, copy, phase)
  for (const loss of [...losses, ...(await remakeObjects(tx, gone.hanging))]) warn(loss)
  const names = saysOtherwise(namesOfVersion(phase.version), heldBy(live).definition.tables)
  const followed = new Set(phase.changes.flatMap(({ before }) => (before === null ? [] : [before.id])))
  const emptied = await mapPatches(tx, new Map([...names].filter(([id]) => followed.has(id))))
  if (hasPending) await mapPredictions(tx, names)
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

/** The things that are to be done with the tables of a copy, known before anything of it is. */
interface StepPlan {
  readonly altering: readonly Altering[]
  /** Tables that lose columns: an object that the app hung on one goes with it, and nothing else does. */
  readonly dropping: readonly Altering[]
  /** Statements that change names, and labels. */
  readonly named: readonly string[]
  /** Tables that are only given columns. */
  readonly widened: readonly Altering[]
  readonly statements: readonly string[]
  /** Tables that may lack keys, indexes or constraints then. */
  readonly unfinished: readonly ReplicaTable[]
}

function planStep(live: Copy, next: Copy, phase: Phase): StepPlan {
  const { definition } = heldBy(live)
  const { tables } = next
  const after = phase.inForce.definition
  const altering = phase.changes.flatMap(({ before, after: table, step }): Altering[] =>
    before === null ? [] : [{ before, after: table, step }],
  )
  const dropping = altering.filter(({ before, step }) => before.columns.length > countCarried(step))
  const { renames, alters } = stepStatements(altering)
  const named = [...labelStatements(definition.types, after.types), ...renames]
  const widened = altering.filter(({ before, after: table, step }) => isOnlyWider(before, table, step))
  const altered = [...newTypeStatements(definition.types, after.types), ...alters]
  const moved = new Set(altering.map(({ before }) => before))
  const staying = definition.tables.filter((table) => !phase.gone.includes(table) && !moved.has(table))
  const between = {
    types: [...after.types, ...typesBeyond(after.types, definition.types)],
    tables: [...staying, ...altering.map(steppedTable)],
  }
  // Triggers outlive an ALTER of their table; what another name or another function has is another statement.
  const same = findUntouched(live.tables, after)
  const untouched = new Set(staying.flatMap(({ id }) => (same.has(id) ? [id] : [])))
  const unnamed = altering.filter((one) => one.before.id === one.after.id).map(({ before }) => before)
  const changed = new Set([...staying, ...unnamed].flatMap(({ id }) => (untouched.has(id) ? [] : [id])))
  const made = new Set(triggersOf(live.tables, (id) => changed.has(id)))
  const { statements } = replaceTables(between, after, retiredName(), { untouched, made })
  const finished = [...staying, ...widened.map(({ before }) => before)]
  const unfinished = [...tables.values()].filter(
    ({ definition: table }) => !finished.some((one) => isFinished(one, table)),
  )
  return { altering, dropping, named, widened, statements: [...altered, ...statements], unfinished }
}

/** Alters the tables that have steps, gives all of them what the version says, and records it; answers the app's losses. */
async function alterTables(tx: Executor, live: Copy, next: Copy, phase: Phase): Promise<string[]> {
  const { altering, dropping, named, widened, statements, unfinished } = planStep(live, next, phase)
  const own = await readOwnObjects(
    tx,
    dropping.map(({ before }) => before),
    heldBy(live).definition.tables,
  )
  if (named.length > 0) await tx.exec(named.join('\n'))
  // A view stands on what it reads, which no column that is added touches.
  const hanging = await detachViews(
    tx,
    altering.filter((one) => !widened.includes(one)).map((one) => one.after),
  )
  await dropViews(tx, hanging)
  await makeTables(tx, [...statements, copyStatement(next)])
  await ensurePrimaryKeys(tx, unfinished)
  await finishTables(tx, unfinished, () => false)
  const compared = altering.filter((one) => !widened.includes(one)).map((one) => one.after)
  const otherwise = await findOtherwise(tx, compared, phase.inForce.definition.types)
  if (otherwise.length > 0) throw new Error(`its steps leave ${otherwise.join(', ')} otherwise than it says`)
  const losses = await remakeObjects(tx, hanging)
  const left = await readOwnObjects(
    tx,
    dropping.map((one) => one.after),
    phase.inForce.definition.tables,
  )
  const gone = own.filter(({ what }) => !left.some((one) => one.what === what))
  return [...losses, ...gone.map(({ what }) => `The app's ${what} went with what a migration dropped.`)]
}

/**
 * Steps to a version that only gives tables columns, in one call of the database; answers null where nothing of it was done,
 * because it does more than that, because of unsettled or failed work, or of any fault, which the longer way then meets again.
 * Rule MIG-R20.
 */
export async function stepAtOnce(db: Database, live: Copy, phase: Phase): Promise<Copy | null> {
  const isPlain = live.behind.size + live.owed.size + phase.behind.size + phase.owed.size + phase.gone.length === 0
  if (!isPlain || Object.keys(live.refused).length > 0) return null
  const next = copyAfter(live, phase)
  const changed = changedTables(live, next)
  if (changed === null || phase.changes.some(({ before }) => before === null)) return null
  const { altering, named, widened, statements, unfinished } = planStep(live, next, phase)
  const isWider = named.length === 0 && widened.length === altering.length && unfinished.length === 0
  return isWider && (await stepCopy(db, next, changed, statements)) ? next : null
}

/** Answers what a copy is once it stepped to a phase. */
function copyAfter(live: Copy, phase: Phase): Copy {
  const refused = Object.fromEntries(Object.entries(live.refused).filter(([id]) => phase.behind.has(id)))
  const tables = heldTables(phase.inForce.definition, refused, 'live')
  return { ...live, definition: phase.inForce, behind: phase.behind, owed: phase.owed, refused, tables }
}

const countCarried = ({ columns }: Altering['step']) => columns.filter(({ from }) => from !== null).length

/** Answers whether a table is only given columns, so that nothing that hangs on the others is touched. */
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
