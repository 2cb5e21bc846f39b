import { randomUUID } from 'node:crypto'
import { sync } from '../examples/tracker/sync.ts'
import { type System, startSystem } from '../testing/system/start-system.ts'
import { type Database, openDatabase } from '../workers/database/index.ts'
import type { DatabaseEnv } from '../workers/env.ts'

export type Decoder = 'pgoutput' | 'wal2json'

/** An organisation of the tracker with `HYDRATE_ROWS` issues. */
export const LARGE_ORG = '0b000000-0000-4000-8000-000000000001'
/** An organisation with few issues, which the other cases change. */
export const SMALL_ORG = '0b000000-0000-4000-8000-000000000002'
export const HYDRATE_ROWS = 100_000
const SMALL_ROWS = 200

export { sync }

export interface BenchOptions {
  readonly largeRows?: number
  /** Options of `createSyncWorker`; the defaults if left out. */
  readonly workerOptions?: Readonly<Record<string, unknown>>
  /** The module that wraps the Worker's parts. */
  readonly instrument?: URL
  readonly postgresSettings?: Readonly<Record<string, string>>
}

/** Starts the tracker with both organisations. */
export async function startBenchSystem(decoder: Decoder, options: BenchOptions = {}): Promise<System> {
  return await startSystem({
    app: {
      sync,
      syncModule: new URL('../examples/tracker/sync.ts', import.meta.url),
      migrations: new URL('../examples/tracker/migrations/', import.meta.url),
    },
    postgres: decoder === 'wal2json' ? 'system' : 'embedded',
    proxyAside: true,
    workerOptions: { decoder, ...options.workerOptions },
    ...(options.postgresSettings ? { postgresSettings: options.postgresSettings } : {}),
    ...(options.instrument ? { instrument: options.instrument } : {}),
    seed: (env) => seedTracker(env, options.largeRows ?? 0),
  })
}

/** Fills both organisations with the demo's own issues, copied as often as it takes. */
async function seedTracker(env: DatabaseEnv, largeRows: number): Promise<void> {
  const database = await openDatabase(env, { statementTimeoutMs: 0, idleInTransactionTimeoutMs: 0 })
  const { default: seed } = await import('../examples/tracker/seed.ts')
  await seed((text, params = []) => database.query(text, [...params]))
  for (const [org, rows] of [
    [LARGE_ORG, largeRows],
    [SMALL_ORG, SMALL_ROWS],
  ] as const) {
    await database.query('INSERT INTO public.organization (id, name, slug) VALUES ($1::text::uuid, $1, $1)', [org])
    await database.query(
      `INSERT INTO public.membership (org_id, user_id, display_name, email)
       SELECT $1::text::uuid, id, name, email FROM public.app_user`,
      [org],
    )
    await database.query(`INSERT INTO public.project (org_id, key, name) VALUES ($1::text::uuid, 'BEN', 'Bench')`, [
      org,
    ])
    await insertIssues(database, org, 1, rows)
  }
  await database.close()
}

/** Adds issues with the demo's texts in one transaction; their numbers begin at `from`. */
export async function insertIssues(database: Database, org: string, from: number, count: number): Promise<void> {
  await database.query(
    `WITH demo AS (SELECT i.*, row_number() OVER (ORDER BY i.id) - 1 AS place FROM public.issue i
                   JOIN public.organization o ON o.id = i.org_id WHERE o.id NOT IN ($4::text::uuid, $5::text::uuid)),
          many AS (SELECT count(*) AS n FROM demo)
     INSERT INTO public.issue (id, org_id, project_id, number, title, body, state, priority, assignee_id, creator_id,
       due_on, created_at, updated_at, closed_at)
     SELECT gen_random_uuid(), p.org_id, p.id, $2::int + k, d.title, d.body, d.state, d.priority,
       CASE WHEN d.assignee_id IS NOT NULL THEN m.id END, m.id, d.due_on, d.created_at, d.updated_at, d.closed_at
     FROM generate_series(0, $3::int - 1) AS k CROSS JOIN many
     JOIN LATERAL (SELECT id, org_id FROM public.project WHERE org_id = $1::text::uuid) p ON true
     JOIN LATERAL (SELECT id FROM public.membership WHERE org_id = $1::text::uuid ORDER BY id LIMIT 1) m ON true
     JOIN demo d ON d.place = k % many.n`,
    [org, from, count, LARGE_ORG, SMALL_ORG],
  )
}

/** Answers the address past the gate, whose forwarding would be measured too. */
export const directUrl = (system: System) => `http://127.0.0.1:${system.worker.port}`

export const tokenFor = (system: System, org: string, userId: string = randomUUID()) =>
  system.token({ userId, audiences: [`org:${org}`] })

/** Asks for a fresh head: returns when everything committed so far is captured and stored. */
export async function captureAll(system: System): Promise<{ epoch: string; lsn: string }> {
  const token = await tokenFor(system, SMALL_ORG)
  for (;;) {
    const answer = await fetch(`${directUrl(system)}/sync/head`, { headers: { authorization: `Bearer ${token}` } })
    if (answer.ok) return (await answer.json()) as { epoch: string; lsn: string }
    if (answer.status !== 503) throw new Error(`/sync/head answered ${answer.status}: ${await answer.text()}`)
    await answer.body?.cancel()
  }
}
