import { customAlphabet } from 'nanoid'
import type { Sync } from '../../db/define-sync.ts'
import { type AppliedDefinition, applyDefinition } from '../../db/definition/apply-definition.ts'
import { type Database, openDatabase, withDatabase } from '../../workers/database/index.ts'
import type { DatabaseEnv } from '../../workers/env.ts'
import { TEMPLATE_DATABASE, type TestServer } from './test-server.ts'

const randomName = customAlphabet('abcdefghijklmnopqrstuvwxyz', 12)

/** A database of a test file's own, with Tidemark's migrations applied. */
export interface TestDatabase {
  readonly name: string
  /** A name for this database alone, because all databases of a server share the names of slots. */
  readonly slotName: string
  readonly url: string
  /** The settings that `openDatabase` and a Worker take. */
  readonly env: Required<DatabaseEnv>
  open(): Promise<Database>
  /** Runs several statements on a connection of its own, under the database's default settings. */
  run(sql: string): Promise<void>
  /** Creates the app's tables and puts its definition in force. */
  install(schema: string, sync: Sync): Promise<AppliedDefinition>
  /** Drops its slots, then the database. */
  drop(): Promise<void>
}

/** Copies the template; works in Node and inside the Workers runtime. */
export async function createDatabase(server: TestServer): Promise<TestDatabase> {
  const name = `t_${randomName()}`
  const admin = { DATABASE_URL: server.adminUrl, DATABASE_PROXY: server.proxy }
  await withDatabase(admin, ({ query }) => query(`CREATE DATABASE ${name} TEMPLATE ${TEMPLATE_DATABASE}`))
  const url = Object.assign(new URL(server.adminUrl), { pathname: `/${name}` }).href
  const env = { DATABASE_URL: url, DATABASE_PROXY: server.proxy }
  const run = (sql: string) =>
    withDatabase(env, async ({ query }) => {
      await query('SET search_path = public, pg_catalog')
      for (const statement of sql.split('--> statement-breakpoint')) await query(statement)
    })
  return {
    name,
    slotName: `${name}_slot`,
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
        await query(`ALTER DATABASE ${name} ALLOW_CONNECTIONS false`)
        await untilGone(query, name)
        await query('SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = $1', [name])
        await query(`DROP DATABASE ${name} WITH (FORCE)`)
      }),
  }
}

/** Waits until all connections have ended, because a terminated one holds its slot for a moment longer. */
async function untilGone(query: Database['query'], name: string): Promise<void> {
  const others = `SELECT pid, pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1`
  while ((await query(others, [name])).length > 0);
}
