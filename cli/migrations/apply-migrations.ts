import { join } from 'node:path'
import type { Sync } from '../../db/define-sync.ts'
import { type AppliedDefinition, applyDefinition, isInForce } from '../../db/definition/apply-definition.ts'
import { declaredNames } from '../../db/definition/declared-table.ts'
import { lockJoining } from '../../db/definition/lock-joining.ts'
import { readStart } from '../../db/definition/transaction-start.ts'
import type { Query } from '../../db/query.ts'
import { TidemarkError } from '../../protocol/errors.ts'
import { type Database, databaseMessageOf, SQL_STATE, sqlStateOf } from '../../workers/database/index.ts'
import { packageRoot } from '../package-root.ts'
import { followFile } from './follow-file.ts'
import { type MigrationFile, readMigrationFiles } from './migration-file.ts'
import { type AppliedMigration, planMigrations } from './migration-plan.ts'
import type { ReplicaTrial } from './replica-trial.ts'
import { isLockFault, retryLocks } from './retry-locks.ts'

export interface MigrationOutcome {
  /** Names of the files that ran, in order. */
  readonly ran: readonly string[]
  readonly definition: { readonly version: number; readonly hash: string; readonly changed: boolean }
  readonly notes: readonly string[]
}

const OWN_PREFIX = 'tidemark:'
/** Any number will do, as long as every version uses the same. */
const LOCK_KEY = '7884210518930377'
const LOCK_WAIT_MS = 120_000

/**
 * Brings a database up to date with this package and the app's folder: our migrations, the app's, the sync definition.
 *
 * Each file runs in one transaction with its record, and what follows from it for the definition comes in force there
 * too, so that capture never meets the one without the other; the whole of what the app declares, with its last pending
 * file. `startTrial` starts the database in which a definition that may be new is tried. Two runs at once wait for each other. Throws `bad-input` for files that
 * contradict the record, `misconfigured` for what the database refuses.
 */
export async function applyMigrations(
  database: Database,
  appMigrations: string,
  sync: Sync,
  startTrial?: () => Promise<ReplicaTrial>,
): Promise<MigrationOutcome> {
  const own = readMigrationFiles(join(packageRoot(), 'migrations'), OWN_PREFIX)
  const app = readMigrationFiles(appMigrations)
  return await underLock(database, async () => {
    const applied = await readApplied(database.query)
    const isOwn = (migration: AppliedMigration) => migration.name.startsWith(OWN_PREFIX)
    const ownPlan = planMigrations(own, applied.filter(isOwn))
    const appPlan = planMigrations(
      app,
      applied.filter((migration) => !isOwn(migration) && migration.name.endsWith('.sql')),
    )
    const faults = [...ownPlan.faults, ...appPlan.faults]
    if (faults.length > 0) throw new TidemarkError('bad-input', `Nothing was migrated.\n${faults.join('\n')}`)
    const ran: string[] = []
    const tables = declaredNames(sync)
    const between: AppliedDefinition[] = []
    const notes: string[] = []
    for (const file of ownPlan.pending) {
      await retryLocks(database, tables, LOCK_WAIT_MS, (query) => runFile(query, file))
      ran.push(file.name)
    }
    const last = appPlan.pending.at(-1)
    // Started before anything is locked, because the app waits for every lock.
    const trial = last || !(await isInForce(database.query, sync)) ? await startTrial?.() : undefined
    try {
      for (const file of appPlan.pending.slice(0, -1)) {
        const followed = await retryLocks(database, tables, LOCK_WAIT_MS, async (query) => {
          await lockJoining(query, tables)
          const start = await readStart(query)
          await runFile(query, file)
          return await followFile(query, sync, file, start, trial?.tryDefinition)
        })
        ran.push(file.name)
        notes.push(...followed.notes)
        between.push(...followed.applied)
      }
      const applied = await retryLocks(database, tables, LOCK_WAIT_MS, async (query) => {
        // Existing tables are locked first: a file that has run for long would otherwise be run again for each try.
        await lockJoining(query, tables)
        const start = await readStart(query)
        if (last) await runFile(query, last)
        return await applyDefinition(query, sync, start, trial?.tryDefinition)
      })
      if (last) ran.push(last.name)
      const { version, hash } = applied
      const changed = [...between, applied].some((one) => one.changed)
      return { ran, definition: { version, hash, changed }, notes: [...notes, ...applied.notes] }
    } finally {
      await trial?.close()
    }
  })
}

/** Applies our migrations and those of a folder to an empty database, without a definition. Throws as `applyMigrations`. */
export async function applyFiles(query: Query, appMigrations: string): Promise<void> {
  const own = readMigrationFiles(join(packageRoot(), 'migrations'), OWN_PREFIX)
  for (const file of [...own, ...readMigrationFiles(appMigrations)]) {
    await query('BEGIN')
    await runFile(query, file)
    await query('COMMIT')
  }
}

async function readApplied(query: Query): Promise<AppliedMigration[]> {
  const [table] = await query(`SELECT to_regclass('tidemark.app_migration')::text AS name`)
  if (!table?.name) return []
  const rows = await query('SELECT name, hash FROM tidemark.app_migration ORDER BY name COLLATE "C"')
  return rows.map((row) => ({ name: row.name ?? '', hash: row.hash ?? '' }))
}

/** What a file leaves to its commit runs before the definition follows: a deferred trigger may write as well. */
const SETTLE = 'SET CONSTRAINTS ALL IMMEDIATE'

async function runFile(query: Query, file: MigrationFile): Promise<void> {
  // Connections are pinned to pg_catalog; an app's SQL expects its own search path.
  await query('SET LOCAL search_path TO DEFAULT')
  for (const [index, statement] of [...file.statements, SETTLE].entries()) {
    try {
      await query(statement)
    } catch (error) {
      const said = databaseMessageOf(error)
      if (said === null || sqlStateOf(error) === null || isLockFault(error)) throw error
      const { length } = file.statements
      const place = length > 1 && index < length ? `, statement ${index + 1} of ${length}` : ''
      throw new TidemarkError(
        'misconfigured',
        `Migration ${file.name}${place} failed and left nothing behind: ${said}\n` +
          'Mend the file and run this again; files before it are applied.',
        { cause: error },
      )
    }
  }
  await query('INSERT INTO tidemark.app_migration (name, hash) VALUES ($1, $2)', [file.name, file.hash])
}

async function underLock<Result>(database: Database, run: () => Promise<Result>): Promise<Result> {
  await database.query(`SELECT set_config('lock_timeout', $1, false)`, [String(LOCK_WAIT_MS)])
  try {
    await database.query(`SELECT pg_advisory_lock(${LOCK_KEY})`)
  } catch (error) {
    if (sqlStateOf(error) !== SQL_STATE.lockNotAvailable) throw error
    throw new TidemarkError(
      'unavailable',
      'Another migration of this database has been running for two minutes. Wait for it to end, then run this again.',
      { cause: error },
    )
  }
  try {
    return await run()
  } finally {
    if (database.usable) await database.query(`SELECT pg_advisory_unlock(${LOCK_KEY})`)
  }
}
