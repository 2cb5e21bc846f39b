import { readdirSync, readFileSync } from 'node:fs'
import { customAlphabet } from 'nanoid'
import type { Sync } from '../../db/define-sync.ts'
import { type AppliedDefinition, applyDefinition } from '../../db/definition/apply-definition.ts'
import { type Database, openDatabase } from '../../workers/database/index.ts'
import type { DatabaseEnv } from '../../workers/env.ts'
import type { TestServer } from './global-setup.ts'

const MIGRATIONS = new URL('../../migrations/', import.meta.url)
const randomName = customAlphabet('abcdefghijklmnopqrstuvwxyz', 12)

/** A database of a test file's own, with Tidemark's migrations applied. */
export interface TestDatabase {
  readonly name: string
  readonly url: string
  /** What `openDatabase` and a Worker take. */
  readonly env: Required<DatabaseEnv>
  open(): Promise<Database>
  /** Runs several statements on a connection of its own, under the database's default settings. */
  run(sql: string): Promise<void>
  /** Creates the app's tables and puts its definition in force. */
  install(schema: string, sync: Sync): Promise<AppliedDefinition>
  /** Drops its slots, then the database. */
  drop(): Promise<void>
}

export async function createDatabase(server: TestServer): Promise<TestDatabase> {
  const name = `t_${randomName()}`
  const admin = { DATABASE_URL: server.adminUrl, DATABASE_PROXY: server.proxy }
  await withDatabase(admin, (database) => database.query(`CREATE DATABASE ${name}`))
  const url = Object.assign(new URL(server.adminUrl), { pathname: `/${name}` }).href
  const env = { DATABASE_URL: url, DATABASE_PROXY: server.proxy }
  const run = (sql: string) =>
    withDatabase(env, async (database) => {
      await database.query('SET search_path = public, pg_catalog')
      for (const statement of sql.split('--> statement-breakpoint')) await database.query(statement)
    })
  for (const file of readdirSync(MIGRATIONS)
    .filter((entry) => entry.endsWith('.sql'))
    .sort()) {
    await run(readFileSync(new URL(file, MIGRATIONS), 'utf8'))
  }
  return {
    name,
    url,
    env,
    run,
    open: () => openDatabase(env),
    install: async (schema, sync) => {
      await run(schema)
      return withDatabase(env, (database) => database.transaction(({ query }) => applyDefinition(query, sync)))
    },
    drop: () =>
      withDatabase(admin, async ({ query }) => {
        await query('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1', [name])
        await query('SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = $1', [name])
        await query(`DROP DATABASE ${name} WITH (FORCE)`)
      }),
  }
}

async function withDatabase<T>(env: DatabaseEnv, run: (database: Database) => Promise<T>): Promise<T> {
  const database = await openDatabase(env)
  try {
    return await run(database)
  } finally {
    await database.close()
  }
}
