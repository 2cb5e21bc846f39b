import { quoteIdentifier } from '../../protocol/index.ts'
import { redoAtJoin } from '../outbox/rebased-apply.ts'
import type { ActionRunner } from '../outbox/run-action.ts'
import type { Copy, Executor } from './books.ts'
import { addPrimaryKey, dropAside, type Finishing, finishings } from './definition-ddl.ts'
import { type ReplicaTable, replicaTables } from './replica-table.ts'
import { TELL_LIVE_QUERIES } from './server-rows.ts'
import { storageFault } from './storage-fault.ts'

/** Of the rows a third of what is usual is looked at, 9,000 of a table: the app waits meanwhile. */
const STATISTICS_TARGET = 30

/**
 * Makes a copy that has reached its fences the replica, within the transaction that brought it there.
 *
 * Pending work is done again on it. One loaded aside replaces the rows of the live tables, which stay the same tables to the
 * app’s live queries.
 */
export async function join(tx: Executor, copy: Copy, actions: ActionRunner): Promise<Copy> {
  const live: Copy = {
    ...copy,
    place: 'live',
    stage: 'joined',
    tables: replicaTables(copy.definition.definition, 'live'),
    manifests: [],
  }
  if (copy.place === 'aside') await takePlace(tx, copy, live)
  await ensurePrimaryKeys(tx, live.tables.values())
  await finish(tx, [...live.tables.values()])
  await tx.query(`UPDATE tidemark.copy SET stage = 'joined' WHERE place = 'live'`)
  await tx.query('UPDATE tidemark.audience SET manifest = NULL')
  await tx.exec('DELETE FROM tidemark.loaded_chunk')
  await tx.query(TELL_LIVE_QUERIES('$1'), [JSON.stringify([...live.tables.values()].map(({ name }) => name))])
  await redoAtJoin(tx, live, actions)
  return live
}

/**
 * Adds the rows of audiences loaded aside to those shown, within the transaction that brought both to one LSN.
 *
 * Throws where a row is already there: then the two do not belong together.
 */
export async function joinAddition(tx: Executor, live: Copy, addition: Copy): Promise<Copy> {
  const touched: string[] = []
  for (const table of live.tables.values()) {
    const source = addition.tables.get(table.id)
    if (!source) continue
    const columns = table.columns.map(({ name }) => quoteIdentifier(name)).join(', ')
    const { affectedRows = 0 } = await tx.query(
      `INSERT INTO ${table.name} (${columns}) SELECT ${columns} FROM ${source.name}`,
    )
    if (affectedRows > 0) touched.push(table.name)
  }
  const joined: Copy = {
    ...live,
    rows: live.rows + addition.rows,
    joins: new Map([...live.joins, ...addition.joins]),
  }
  await tx.exec(dropAside())
  await tx.exec(`DELETE FROM tidemark.copy WHERE place = 'aside'`)
  await tx.query(`UPDATE tidemark.copy SET rows = $1 WHERE place = 'live'`, [joined.rows])
  await tx.exec(`UPDATE tidemark.audience SET place = 'live', manifest = NULL WHERE place = 'aside'`)
  await tx.exec('DELETE FROM tidemark.loaded_chunk')
  await tx.query(TELL_LIVE_QUERIES('$1'), [JSON.stringify(touched)])
  return joined
}

async function takePlace(tx: Executor, aside: Copy, live: Copy): Promise<void> {
  for (const table of live.tables.values()) {
    const source = aside.tables.get(table.id)
    if (!source) continue
    const columns = table.columns.map(({ name }) => quoteIdentifier(name)).join(', ')
    await tx.exec(`DELETE FROM ${table.name}`)
    await tx.exec(`INSERT INTO ${table.name} (${columns}) SELECT ${columns} FROM ${source.name}`)
  }
  await tx.exec(dropAside())
  for (const bookkeeping of ['copy', 'audience']) {
    await tx.exec(`DELETE FROM tidemark.${bookkeeping} WHERE place = 'live'`)
    await tx.exec(`UPDATE tidemark.${bookkeeping} SET place = 'live' WHERE place = 'aside'`)
  }
}

export async function ensurePrimaryKeys(tx: Executor, tables: Iterable<ReplicaTable>): Promise<void> {
  for (const table of tables) {
    const { rows } = await tx.query(`SELECT FROM pg_constraint WHERE conrelid = to_regclass($1) AND contype = 'p'`, [
      table.name,
    ])
    if (rows.length === 0) await tx.exec(addPrimaryKey(table))
  }
}

async function finish(tx: Executor, tables: readonly ReplicaTable[]): Promise<void> {
  for (const item of finishings(tables)) {
    if (await isThere(tx, item)) continue
    // An index or constraint that PGlite cannot make costs speed or a local check, never rows.
    await tx.exec('SAVEPOINT finishing')
    try {
      await tx.exec(item.statement)
      await tx.exec('RELEASE SAVEPOINT finishing')
    } catch (error) {
      // Where there is no room for it, there is none for the rows to come.
      if (storageFault(error)) throw error
      await tx.exec('ROLLBACK TO SAVEPOINT finishing; RELEASE SAVEPOINT finishing')
    }
  }
  await tx.exec(`SET LOCAL default_statistics_target = ${STATISTICS_TARGET}`)
  for (const table of tables) await tx.exec(`ANALYZE ${table.name}`)
}

async function isThere(tx: Executor, { table, kind, name }: Finishing): Promise<boolean> {
  const text =
    kind === 'constraint'
      ? 'SELECT FROM pg_constraint WHERE conrelid = to_regclass($1) AND conname = $2'
      : 'SELECT FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE i.indrelid = to_regclass($1) AND c.relname = $2'
  const { rows } = await tx.query(text, [table.name, name])
  return rows.length > 0
}
