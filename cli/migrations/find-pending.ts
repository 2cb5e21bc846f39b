import { join } from 'node:path'
import type { Query } from '../../db/query.ts'
import { TidemarkError } from '../../protocol/errors.ts'
import { packageRoot } from '../package-root.ts'
import { isAppMigration, readAppMigrations } from './app-migrations.ts'
import { batchOf } from './batch-statement.ts'
import { isOwnFile, type MigrationFile, OWN_PREFIX, readMigrationFiles } from './migration-file.ts'
import { planMigrations, type RecordedMigration } from './migration-plan.ts'

/** The files that have not run yet, in order. */
export interface PendingFiles {
  readonly own: readonly MigrationFile[]
  readonly app: readonly MigrationFile[]
}

/** Reads this package's own migrations. */
export function readOwnFiles(): MigrationFile[] {
  return readMigrationFiles(join(packageRoot(), 'migrations'), OWN_PREFIX)
}

/**
 * Compares the files with the record, and with the last one that the sync module says it knows. Throws `bad-input` where
 * they contradict each other.
 */
export async function findPending(query: Query, appMigrations: string, known?: string): Promise<PendingFiles> {
  const applied = await readApplied(query)
  const app = await readAppMigrations(appMigrations, ranElsewhere(applied.app))
  const ownPlan = planMigrations(readOwnFiles(), applied.own)
  const appPlan = planMigrations(app, applied.app)
  const faults = [...ownPlan.faults, ...appPlan.faults, ...knownFaults(known, app)]
  if (faults.length > 0) throw new TidemarkError('bad-input', `Nothing was migrated.\n${faults.join('\n')}`)
  // Those that cannot run in batches are refused before any file runs.
  for (const file of appPlan.pending) batchOf(file)
  return { own: ownPlan.pending, app: appPlan.pending }
}

/** A page that names an older file than it was built over would be asked to load anew for ever. */
function knownFaults(known: string | undefined, app: readonly MigrationFile[]): string[] {
  const last = app.at(-1)?.name
  if (known === undefined || known === last) return []
  const what =
    last === undefined ? 'the folder of migrations is empty: leave it out' : `the last one is ${last}: name that`
  return [`The sync definition says migration: '${known}', but ${what}.`]
}

/** Answers which files the record says to have run before Tidemark came. */
export function ranElsewhere(applied: readonly RecordedMigration[]): (name: string) => boolean {
  const names = new Set(applied.filter(({ baseline }) => baseline).map(({ name }) => name))
  return (name) => names.has(name)
}

/** Reads the record of our files and of the app's, each in order. */
export async function readApplied(
  query: Query,
): Promise<{ readonly own: RecordedMigration[]; readonly app: RecordedMigration[] }> {
  const [table] = await query(`SELECT to_regclass('tidemark.app_migration')::text AS name`)
  if (!table?.name) return { own: [], app: [] }
  const rows = await query(
    `SELECT name, hash, to_char(applied_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS "UTC"') AS at,
       to_jsonb(m)->>'version' AS version, to_jsonb(m)->'up'->>'baseline' AS baseline
     FROM tidemark.app_migration AS m ORDER BY m.name COLLATE "C"`,
  )
  const applied = rows.map((row) => ({
    name: row.name ?? '',
    hash: row.hash ?? '',
    at: row.at ?? '',
    version: row.version ? Number(row.version) : null,
    baseline: row.baseline === 'true',
  }))
  return {
    own: applied.filter(({ name }) => isOwnFile(name)),
    app: applied.filter(({ name }) => isAppMigration(name)),
  }
}
