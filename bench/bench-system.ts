import { openReplica, type Replica } from '../client/index.ts'
import { type System, startSystem } from '../testing/system/start-system.ts'
import type { Database } from '../workers/database/index.ts'
import { openDatabase } from '../workers/database/index.ts'
import type { DatabaseEnv } from '../workers/env.ts'
import { sync } from './app/sync.ts'

export const BENCH_ORG = '0b000000-0000-4000-8000-000000000001'
export const HYDRATE_ROWS = 100_000

/** Inserts `count` rows of about 220 bytes in one statement; numbers begin at `from`. */
export async function insertTasks(database: Database, from: number, count: number): Promise<void> {
  await database.query(
    `INSERT INTO public.task (id, org_id, number, title, body, labels)
     SELECT gen_random_uuid(), $1::uuid, n, 'Task number ' || n, repeat(md5(n::text), 3), ARRAY['a', 'label ' || n % 7]
     FROM generate_series($2::int, $2::int + $3::int - 1) AS n`,
    [BENCH_ORG, from, count],
  )
}

export async function startBenchSystem(): Promise<System> {
  return await startSystem({
    app: {
      sync,
      syncModule: new URL('./app/sync.ts', import.meta.url),
      migrations: new URL('./app/migrations/', import.meta.url),
    },
    seed: async (env: DatabaseEnv) => {
      const database = await openDatabase(env)
      await insertTasks(database, 1, HYDRATE_ROWS)
      await database.close()
    },
  })
}

export async function openBenchReplica(system: System): Promise<Replica> {
  return await openReplica({
    url: system.url,
    user: 'bench',
    token: () => system.token({ userId: 'bench', audiences: [`org:${BENCH_ORG}`] }),
    sync,
    storage: 'memory://',
  })
}

/** Asks for a fresh head: returns when everything committed so far is captured and stored. */
export async function captureAll(system: System): Promise<void> {
  const token = await system.token({ userId: 'bench', audiences: [`org:${BENCH_ORG}`] })
  for (;;) {
    const answer = await fetch(`${system.url}/sync/head`, { headers: { authorization: `Bearer ${token}` } })
    if (answer.ok) return void (await answer.json())
    if (answer.status !== 503) throw new Error(`/sync/head answered ${answer.status}: ${await answer.text()}`)
    await answer.body?.cancel()
  }
}
