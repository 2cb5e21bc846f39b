import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, onTestFinished } from 'vitest'
import { adoptTables } from '../../cli/migrations/adopt-tables.ts'
import { applyMigrations } from '../../cli/migrations/apply-migrations.ts'
import type { Replica } from '../../client/index.ts'
import { openReplicaOn } from '../../client/open-replica.ts'
import { type Database, openDatabase } from '../../workers/database/index.ts'
import { openPreparedDatabase } from '../replica/prepared-database.ts'
import { type HttpGate, startHttpGate } from '../system/http-gate.ts'
import { type System, type SystemOptions, startSystem } from '../system/start-system.ts'
import { sync } from './app/sync.ts'
import { type AppSchema, type AppTable, FIRST_SCHEMA, syncOf } from './app-schema.ts'

const FOLDER = new URL('./app/migrations/', import.meta.url)

export interface OpenedReplica {
  readonly replica: Replica<typeof sync>
  readonly gate: HttpGate
  /** Requests for snapshots since the replica was whole, or since it was last asked. */
  downloads(): string[]
}

/** A whole system for a suite, the schema of which moves while replicas of the first bundle are open. */
export class MovingSchema {
  declare system: System
  /** As owner of the tables. */
  declare database: Database
  schema: AppSchema = FIRST_SCHEMA
  #folder = ''
  #files = 0

  constructor(postgres: SystemOptions['postgres']) {
    beforeAll(async () => {
      this.#folder = mkdtempSync(join(tmpdir(), 'tidemark-migrations-'))
      cpSync(fileURLToPath(FOLDER), this.#folder, { recursive: true })
      this.system = await startSystem({
        app: { sync, syncModule: new URL('./app/sync.ts', import.meta.url), migrations: FOLDER },
        ...(postgres ? { postgres } : {}),
      })
      this.database = await this.system.openDatabase()
    })
    afterAll(async () => {
      await this.database?.close()
      await this.system?.dispose()
      rmSync(this.#folder, { recursive: true, force: true })
    })
  }

  /** The name of the last migration, or of one that comes so many later. */
  fileName(later = 0): string {
    return `${String(this.#files + later).padStart(4, '0')}.sql`
  }

  /** Runs a migration as `tidemark migrate` does; `change` says what the app then declares. Answers its notes. */
  async migrate(statements: readonly string[], change: (before: AppSchema) => AppSchema): Promise<string[]> {
    this.schema = change(this.schema)
    this.#files += 1
    const file = join(this.#folder, this.fileName())
    if (statements.length > 0) writeFileSync(file, statements.join(';\n--> statement-breakpoint\n'))
    return await this.#asOwner(async (owner) => [
      ...(await applyMigrations(owner, this.#folder, syncOf(this.schema))).notes,
    ])
  }

  /** Adopts what others altered, as `tidemark migration:adopt` does; `change` says what the app declares by then. */
  async adopt(change: (before: AppSchema) => AppSchema) {
    this.schema = change(this.schema)
    return await this.#asOwner((owner) => adoptTables(owner, this.#folder, syncOf(this.schema), false))
  }

  async #asOwner<Result>(use: (owner: Database) => Promise<Result>): Promise<Result> {
    const owner = await openDatabase(this.system.env)
    try {
      return await use(owner)
    } finally {
      await owner.close()
    }
  }

  /** Opens a replica for one test, and waits until it has everything. */
  async open(user: string): Promise<OpenedReplica> {
    const gate = await startHttpGate(this.system.gate.port)
    onTestFinished(() => gate.dispose())
    const replica = await this.openPage(user, gate, { storage: 'memory://' })
    await replica.ready
    await replica.settled()
    let seen = gate.requests.length
    const downloads = () => {
      const since = gate.requests.slice(seen).filter((path) => path.startsWith('/sync/snapshot'))
      seen = gate.requests.length
      return since
    }
    return { replica, gate, downloads }
  }

  /** Opens what a page opens whose code was written over this migration. */
  async openPage(user: string, { port }: HttpGate, page: { storage: string; migration?: string }) {
    const token = () => this.system.token({ userId: user, audiences: ['org:a'] })
    const { storage, ...knows } = page
    const options = { url: `http://127.0.0.1:${port}`, user, token, sync: { ...sync, ...knows }, storage }
    const replica = await openReplicaOn(options, openPreparedDatabase)
    onTestFinished(() => replica.close())
    return replica
  }

  /** Expects a replica to hold the rows of its audience, and all that is in them. */
  async expectEqual(replica: Replica<typeof sync>, table: string, columns = '*'): Promise<void> {
    await replica.settled()
    const rows = `SELECT to_json(t)::text AS row FROM (SELECT ${columns} FROM public.${table} WHERE org = 'a') t ORDER BY t.id`
    expect((await replica.db.query(rows)).rows).toEqual(await this.database.query(rows))
  }
}

/** Says in a schema what becomes of the columns of one table. */
export function columnsOf(name: string, change: (columns: AppTable['columns']) => AppTable['columns']) {
  return (before: AppSchema): AppSchema => ({
    ...before,
    tables: before.tables.map((table) => (table.name === name ? { ...table, columns: change(table.columns) } : table)),
  })
}

export const addColumns = (table: string, ...added: readonly string[]) =>
  columnsOf(table, (columns) => [...columns, ...added.map((name) => ({ name, type: 'text', hidden: false }))])

export const addTable = (table: AppTable) => (before: AppSchema) => ({ ...before, tables: [...before.tables, table] })
