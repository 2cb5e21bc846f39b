import type { Sync } from '../../db/define-sync.ts'
import { isInForce } from '../../db/definition/apply-definition.ts'
import { readDefinitionInForce } from '../../db/definition/definition-in-force.ts'
import { findDrift } from '../../db/definition/find-drift.ts'
import type { Query } from '../../db/query.ts'
import type { Database } from '../../workers/database/index.ts'
import { readAppMigrations } from './app-migrations.ts'
import { ranElsewhere, readApplied, readOwnFiles } from './find-pending.ts'
import type { MigrationFile } from './migration-file.ts'
import type { RecordedMigration } from './migration-plan.ts'

export interface FileStatus {
  readonly name: string
  /** `baseline`: it ran before Tidemark came, and was only put on record. */
  readonly state: 'applied' | 'baseline' | 'pending' | 'edited' | 'missing' | 'late'
  /** The time at which it ran; null where it did not. */
  readonly at: string | null
  /** The version of the definition once it had run; null where it did not, or the record does not say. */
  readonly version: number | null
}

export interface MigrationStatus {
  /** Migrations of Tidemark itself that are not as this package has them. */
  readonly own: readonly FileStatus[]
  readonly app: readonly FileStatus[]
  /** Null where none is in force, or the tables of Tidemark are not yet those of this package. */
  readonly definition: {
    readonly version: number
    readonly hash: string
    readonly declared: boolean
  } | null
  readonly drifted: readonly { readonly table: string; readonly what: string }[]
  readonly replicas: readonly ReplicasAt[]
}

/** Replicas that said within the last 30 days that their tables have this version of the definition. */
export interface ReplicasAt {
  readonly version: number
  readonly count: number
  /** The number of them that wait for tables to be loaded. */
  readonly waiting: number
  /** The number of them that could not make it from the version before. */
  readonly faults: number
  /** The words of one of those. */
  readonly fault: string | null
  /** How often the one that tried most often tried again in vain. */
  readonly retries: number
  /** The oldest migration that one of their pages knows; null where none says. */
  readonly migration: string | null
}

/** Reads how far a database is, without a lock and without a change. */
export async function readStatus(database: Database, appMigrations: string, sync: Sync): Promise<MigrationStatus> {
  return await database.transaction(
    async ({ query }) => {
      const applied = await readApplied(query)
      const files = await readAppMigrations(appMigrations, ranElsewhere(applied.app))
      const own = statesOf(readOwnFiles(), applied.own).filter(({ state }) => state !== 'applied')
      const app = statesOf(files, applied.app)
      const later =
        own.length === 0 ? await readDefinition(query, sync) : { definition: null, drifted: [], replicas: [] }
      return { own, app, ...later }
    },
    { isolation: 'repeatable read', readOnly: true },
  )
}

async function readDefinition(query: Query, sync: Sync): Promise<Omit<MigrationStatus, 'own' | 'app'>> {
  const inForce = await readDefinitionInForce(query)
  const replicas = await readReplicas(query)
  if (inForce === null) return { definition: null, drifted: [], replicas }
  const { version, hash } = inForce
  const drifted = (await findDrift(query, inForce)).map(({ table, what }) => ({ table, what }))
  return { definition: { version, hash, declared: await isInForce(query, sync) }, drifted, replicas }
}

async function readReplicas(query: Query): Promise<ReplicasAt[]> {
  const rows = await query(
    `SELECT version::text, count(*)::text AS count, count(*) FILTER (WHERE waiting > 0)::text AS waiting,
       count(fault)::text AS faults, max(fault) AS fault, max(retries)::text AS retries, min(migration COLLATE "C") AS migration
     FROM tidemark.client_status WHERE told_at > now() - interval '30 days'
     GROUP BY client_status.version ORDER BY client_status.version DESC`,
  )
  return rows.map(({ version, count, waiting, faults, fault = null, retries, migration = null }) => ({
    version: Number(version),
    count: Number(count),
    waiting: Number(waiting),
    faults: Number(faults),
    fault,
    retries: Number(retries),
    migration,
  }))
}

function statesOf(files: readonly MigrationFile[], applied: readonly RecordedMigration[]): FileStatus[] {
  const last = applied.at(-1)?.name ?? ''
  const present = files.map(({ name, hash }): FileStatus => {
    const record = applied.find((one) => one.name === name)
    if (record === undefined) return { name, state: name < last ? 'late' : 'pending', at: null, version: null }
    const ran = record.baseline ? 'baseline' : 'applied'
    return { name, state: record.hash === hash ? ran : 'edited', at: record.at, version: record.version }
  })
  const missing = applied
    .filter(({ name }) => files.every((file) => file.name !== name))
    .map(({ name, at, version }): FileStatus => ({ name, state: 'missing', at, version }))
  return [...present, ...missing].sort((a, b) => (a.name < b.name ? -1 : 1))
}

/** Tells whether there is nothing to do. */
export function isUpToDate({ own, app, definition, drifted }: MigrationStatus): boolean {
  const isApplied = [...own, ...app].every(({ state }) => state === 'applied' || state === 'baseline')
  return isApplied && definition?.declared === true && drifted.length === 0
}
