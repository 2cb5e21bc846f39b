import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { accessDatabase } from '../cli/database.ts'
import { embeddedBinaries } from '../cli/postgres/postgres-binaries.ts'
import { type PostgresServer, startPostgresServer } from '../cli/postgres/postgres-server.ts'
import { copyTracker } from '../testing/browser/copy-tracker.ts'
import { type DevServer, startDev } from '../testing/browser/start-dev.ts'
import { freePort } from '../testing/postgres/free-port.ts'
import { FAST_SETTINGS } from '../testing/postgres/global-setup.ts'
import { until } from '../testing/system/start-system.ts'
import type { ReplicationHealth } from '../workers/contracts.ts'
import { withDatabase } from '../workers/database/index.ts'

type Rows = Record<string, string | null>[]
type Query = (text: string) => Promise<Rows>

/** Whole runs of the command on the example. Each test goes on from the last. */
const folder = mkdtempSync(join(tmpdir(), 'tidemark-dev-'))
const dataDir = join(folder, 'data')
const tracker = copyTracker()
let postgres: PostgresServer
let dev: DevServer | null = null

beforeAll(async () => {
  postgres = await startPostgresServer({
    binDirectory: embeddedBinaries(),
    dataDirectory: join(folder, 'theirs'),
    port: await freePort(),
    password: 'theirs',
    settings: FAST_SETTINGS,
  })
})
afterAll(async () => {
  await dev?.stop()
  tracker.remove()
  await postgres?.stop()
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
})

async function start(...more: string[]): Promise<DevServer> {
  dev = await startDev({ app: tracker.app, dataDir, port: 0, more })
  return dev
}

async function stop(): Promise<void> {
  const ending = dev
  dev = null
  await ending?.stop()
}

const query = (text: string) =>
  withDatabase(dev?.env ?? { DATABASE_URL: '' }, (database) => database.query(text), { applicationName: 'test' })

/** Their database, without dev. */
async function withTheirs(run: (query: Query) => Promise<Rows>, database = 'theirs'): Promise<Rows> {
  const access = await accessDatabase(postgres.url(database))
  try {
    return await withDatabase(access.env, ({ query }) => run(query))
  } finally {
    await access.close()
  }
}

/** The epoch, once capture runs. */
const epoch = () =>
  until(async () => {
    const answer = await fetch(`${dev?.url}/health/replication`, {
      headers: { authorization: `Bearer ${dev?.adminToken}` },
    })
    const health = (await answer.json()) as ReplicationHealth
    return health.status !== 'fail' && health.epoch
  })

const count = async (condition = 'true') => {
  const [row] = await query(`SELECT count(*)::text AS rows FROM public.issue WHERE ${condition}`)
  return Number(row?.rows)
}

test('CLI-R15 dev --reset begins anew with rows and epoch, and keeps secrets and what others put there', async () => {
  const first = await start()
  const [before, seeded] = [await epoch(), await count()]
  expect(seeded).toBeGreaterThan(0)
  await query(`UPDATE public.issue SET title = 'changed'`)
  await stop()
  writeFileSync(join(dataDir, 'notes.txt'), 'mine')

  const reset = await start('--reset')
  expect(await count(`title = 'changed'`)).toBe(0)
  expect(await count()).toBe(seeded)
  expect(await epoch()).not.toBe(before)
  expect(reset.adminToken).toBe(first.adminToken)
  expect(existsSync(join(dataDir, 'notes.txt'))).toBe(true)
  await stop()
})

test('CLI-R15 CLI-R9 dev --database-url works in that database alone, and --reset leaves its rows', async () => {
  rmSync(dataDir, { recursive: true })
  await withTheirs((sql) => sql('CREATE DATABASE theirs'), 'postgres')
  const url = postgres.url('theirs')
  const first = await start('--database-url', url)
  expect(existsSync(join(dataDir, 'postgres'))).toBe(false)
  expect(first.said).not.toContain('theirs@')
  expect(first.said).not.toContain('Starting Postgres')
  const seeded = await count()
  expect(seeded).toBeGreaterThan(0)
  await epoch()
  await query(`UPDATE public.issue SET title = 'changed'`)
  await stop()
  // What is theirs runs on.
  expect(
    await withTheirs((sql) => sql(`SELECT count(*)::text AS n FROM public.issue WHERE title = 'changed'`)),
  ).toEqual([{ n: String(seeded) }])

  await start('--database-url', url, '--reset')
  expect(await count(`title = 'changed'`)).toBe(seeded)
  await epoch()
  await stop()
})
