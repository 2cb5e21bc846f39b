import { randomUUID } from 'node:crypto'
import type { Sync } from '../../db/index.ts'
import type { Row } from '../../protocol/index.ts'
import type { Database } from '../../workers/database/index.ts'
import type { SyncEnv } from '../../workers/env.ts'
import type { PushOptions } from '../../workers/push/options.ts'
import { createDatabase, type TestDatabase } from '../postgres/create-database.ts'
import type { TestServer } from '../postgres/test-server.ts'
import { useForSuite } from '../postgres/use-for-suite.ts'
import { ORG_A, PUSH_SCHEMA, pushSync } from './push-app.ts'
import { pushDirectly } from './push-directly.ts'
import type { SendPush } from './test-client.ts'

/** A database to write to, and pushes that go straight to the rules. */
export interface PushFixture {
  readonly owned: TestDatabase
  /** A connection as the owner. */
  readonly database: Database
  readonly send: SendPush
  sender(options: Omit<PushOptions, 'sync'>): SendPush
  /** Makes a task of ORG_A: `one`, open, 1.00 points. */
  task(more?: Row): Promise<string>
  row(table: string, id: string): Promise<Record<string, string | null> | undefined>
  /** Resolves once this many connections of pushes wait for a lock. */
  untilWaiting(count: number): Promise<void>
  drop(): Promise<void>
}

interface App {
  readonly schema: string
  readonly sync: Sync
}

export function usePushFixture(server: TestServer, app: App = { schema: PUSH_SCHEMA, sync: pushSync }): PushFixture {
  return useForSuite(
    () => openPushFixture(server, app),
    (fixture) => fixture.drop(),
  )
}

export async function openPushFixture(server: TestServer, { schema, sync }: App): Promise<PushFixture> {
  const owned = await createDatabase(server)
  await owned.install(schema, sync)
  const database = await owned.open()
  // The app's own connections do the same, because its triggers name tables without a schema.
  await database.query('SET search_path = public')
  // Deciding needs only the database of the environment.
  const env = owned.env as unknown as SyncEnv
  const sender =
    (options: Omit<PushOptions, 'sync'>): SendPush =>
    async (body, { userId, audiences }) => {
      const session = { userId, audiences, claims: { sub: userId }, expiresAtMs: null, syncName: 'unused' }
      return pushDirectly({ sync, ...options }, env, session, body)
    }
  return {
    owned,
    database,
    send: sender({}),
    sender,
    task: async (more = {}) => {
      const id = randomUUID()
      const columns = {
        title: 'one',
        points: '1.00',
        detail: '{"a": 1, "b": 2}',
        slug: `slug-${id}`,
        secret: `hidden-${id}`,
        org_id: ORG_A,
        ...more,
      }
      await database.query(
        `INSERT INTO public.task (id, org_id, title, points, detail, due_at, slug, secret, parent_id)
         SELECT $1::uuid, r.org_id, r.title, r.points, r.detail, '2026-01-01 12:00+00', r.slug, r.secret, r.parent_id
         FROM json_populate_record(NULL::public.task, $2::json) AS r`,
        [id, JSON.stringify({ ...columns, detail: JSON.parse(columns.detail ?? 'null') })],
      )
      return id
    },
    row: async (table, id) => (await database.query(`SELECT * FROM public.${table} WHERE id::text = $1`, [id]))[0],
    untilWaiting: async (count) => {
      const waiting = `SELECT count(*)::text AS count FROM pg_stat_activity
        WHERE datname = current_database() AND application_name = 'tidemark push' AND wait_event_type = 'Lock'`
      while (Number((await database.query(waiting))[0]?.count) < count);
    },
    drop: async () => {
      await database.close()
      await owned.drop()
    },
  }
}
