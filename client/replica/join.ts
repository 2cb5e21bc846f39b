import { quoteIdentifier, type Rejection } from '../../protocol/index.ts'
import type { ActionRunner } from '../mutations/run-action.ts'
import { sealNewPatches } from '../mutations/seal-patches.ts'
import { redoAtJoin } from '../rebase/apply-under-pending.ts'
import { type Copy, deleteCopy, type Executor, readCopies, setStage, writeDefinition } from '../store/copies.ts'
import {
  addPrimaryKey,
  dropAside,
  type Finishing,
  finishings,
  replaceTables,
  retiredName,
} from '../store/definition-ddl.ts'
import { heldDefinition, heldTables } from '../store/held-tables.ts'
import { makeTables } from '../store/make-tables.ts'
import type { ReplicaTable } from '../store/replica-table.ts'
import { forgetManifests } from '../store/rows/audience-rows.ts'
import { deleteMarks } from '../store/rows/chunk-rows.ts'
import { mergeAside, replaceLiveCopy, writeCount } from '../store/rows/copy-rows.ts'
import { storageFault } from '../store/storage-fault.ts'
import { detachObjects, remakeObjects } from './hanging-objects.ts'
import { forgetRetypedPredictions, mapPatches } from './map-patches.ts'
import { mapRecovered, readRecovered } from './map-recovered.ts'
import { isLasting, TableFault } from './refused-tables.ts'

/** ANALYZE looks at a third of its usual rows, 9,000 of a table: the app waits meanwhile. */
const STATISTICS_TARGET = 30

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

export async function countRows(tx: Executor, table: string): Promise<number> {
  const { rows } = await tx.query<{ count: number | string }>(`SELECT count(*) AS count FROM ${table}`)
  return Number(rows[0]?.count ?? 0)
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

export async function ensurePrimaryKeys(tx: Executor, tables: Iterable<ReplicaTable>): Promise<void> {
  const all = [...tables]
  if (all.length === 0) return
  const made = await readMade(tx, all)
  const missing = all.filter(({ name }) => !made.has(madeKey(name, 'primary', '')))
  if (missing.length > 0) await tx.exec(missing.map(addPrimaryKey).join(';\n'))
}

export async function finishTables(
  tx: Executor,
  tables: readonly ReplicaTable[],
  isFilled: (table: ReplicaTable) => boolean,
): Promise<void> {
  if (tables.length === 0) return
  const made = await readMade(tx, tables)
  const missing = finishings(tables).filter(({ table, kind, name }) => !made.has(madeKey(table.name, kind, name)))
  // A foreign key fails where its parents are not all seen here, and is not to take an index of many rows with it.
  await makeFinishings(
    tx,
    missing.filter((item) => !isForeignKey(item)),
  )
  await makeFinishings(tx, missing.filter(isForeignKey))
  const filled = tables.filter(isFilled)
  if (filled.length === 0) return
  const analyzed = filled.map(({ name }) => name).join(', ')
  await tx.exec(`SET LOCAL default_statistics_target = ${STATISTICS_TARGET}; ANALYZE ${analyzed}`)
}

const isForeignKey = ({ kind, statement }: Finishing) => kind === 'constraint' && statement.includes(' FOREIGN KEY ')

/** Makes these in one call of the database, or each by itself where one of them cannot be made. */
async function makeFinishings(tx: Executor, items: readonly Finishing[]): Promise<void> {
  if (items.length === 0) return
  // An index or constraint that PGlite cannot make costs speed or a local check, never rows.
  const statements = items.map(({ statement }) => statement)
  try {
    await tx.exec(['SAVEPOINT finishing', ...statements, 'RELEASE SAVEPOINT finishing'].join(';\n'))
  } catch (error) {
    // A device that has no room for it has none for the rows to come.
    if (storageFault(error)) throw error
    await tx.exec('ROLLBACK TO SAVEPOINT finishing; RELEASE SAVEPOINT finishing')
    if (items.length > 1) for (const item of items) await makeFinishings(tx, [item])
  }
}

const madeKey = (table: string, kind: 'primary' | Finishing['kind'], name: string) => `${kind} ${name} of ${table}`

/** Reads which keys, constraints and indexes these tables have. */
async function readMade(tx: Executor, tables: readonly ReplicaTable[]): Promise<Set<string>> {
  const { rows } = await tx.query<{ table: string; kind: 'primary' | Finishing['kind']; name: string }>(
    `WITH named AS (SELECT name, to_regclass(name) AS oid FROM json_array_elements_text($1::text::json) AS named(name))
     SELECT t.name AS table, made.kind, made.name FROM named t, LATERAL (
       SELECT 'constraint' AS kind, k.conname::text AS name FROM pg_constraint k WHERE k.conrelid = t.oid
       UNION ALL SELECT 'primary', '' FROM pg_constraint k WHERE k.conrelid = t.oid AND k.contype = 'p'
       UNION ALL SELECT 'index', c.relname::text FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE i.indrelid = t.oid
     ) made`,
    [JSON.stringify(tables.map(({ name }) => name))],
  )
  return new Set(rows.map(({ table, kind, name }) => madeKey(table, kind, name)))
}
