import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestProject } from 'vitest/node'
import { embeddedBinaries } from '../../cli/postgres/postgres-binaries.ts'
import type { PostgresServer } from '../../cli/postgres/postgres-server.ts'
import { startWebSocketProxy, type WebSocketProxy } from '../../cli/postgres/websocket-proxy.ts'
import { withDatabase } from '../../workers/database/index.ts'
import { freePort } from './free-port.ts'
import { startTestServer } from './start-test-server.ts'
import { TEMPLATE_DATABASE, type TestServer, type TestServers } from './test-server.ts'

/** Programs of the distribution's Postgres, which has wal2json. */
export const SYSTEM_BINARIES = '/usr/lib/postgresql/15/bin'
const WAL2JSON = '/usr/lib/postgresql/15/lib/wal2json.so'
/** Programs of a Postgres with a newer wal2json, where there is one: `.ci/newer-postgres` lays it down. */
export const NEWER_BINARIES = process.env.NEWER_POSTGRES
const MIGRATIONS = join(import.meta.dirname, '../../migrations')

/** Tests keep nothing, so they need not wait for the disk. */
export const FAST_SETTINGS = { fsync: 'off', full_page_writes: 'off', max_wal_size: '4GB' }

interface RunningServers {
  readonly servers: TestServers
  stop(): Promise<void>
}

/** Each project loads this module anew, yet all of a run share the servers; so this state hangs on the process. */
const shared: { running: Promise<RunningServers>[]; users: number } = sharedState()

/**
 * Starts the Postgres servers once for the whole run, a set for each worker of a project: the embedded one (pgoutput),
 * the system's (wal2json), and a newer one.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  shared.users++
  while (shared.running.length < (project.config.maxWorkers ?? project.vitest.config.maxWorkers ?? 1))
    shared.running.push(startServers())
  project.provide(
    'serversOfWorkers',
    (await Promise.all(shared.running)).map(({ servers }) => servers),
  )
  return async () => {
    if (--shared.users > 0) return
    for (const running of shared.running.splice(0)) await (await running).stop()
  }
}

function sharedState(): typeof shared {
  const key = Symbol.for('tidemark.testing.postgres')
  const holder = globalThis as { [key]?: typeof shared }
  holder[key] ??= { running: [], users: 0 }
  return holder[key]
}

async function startServers(): Promise<RunningServers> {
  if (!existsSync(WAL2JSON)) {
    throw new Error(
      `The tests need Postgres 15 with wal2json (${WAL2JSON}): apt-get install postgresql-15 postgresql-15-wal2json`,
    )
  }
  const folder = mkdtempSync(join(tmpdir(), 'tidemark-test-'))
  const running: { server: PostgresServer; proxy: WebSocketProxy }[] = []
  const start = async (name: TestServer['name'], binDirectory: string): Promise<TestServer> => {
    const server = await startTestServer({
      binDirectory,
      dataDirectory: join(folder, name),
      port: await freePort(),
      password: 'tidemark',
      settings: { ...FAST_SETTINGS, max_prepared_transactions: '8' },
    })
    const proxy = await startWebSocketProxy({ host: '127.0.0.1', port: server.port })
    running.push({ server, proxy })
    const testServer: TestServer = { name, adminUrl: server.url('postgres'), proxy: proxy.address }
    await makeTemplate(testServer, server.url(TEMPLATE_DATABASE))
    return testServer
  }
  const stop = async () => {
    await Promise.all(
      running.map(async ({ server, proxy }) => {
        await proxy.close()
        await server.stop()
      }),
    )
    rmSync(folder, { recursive: true, force: true })
  }
  const started = await Promise.allSettled([
    start('embedded', embeddedBinaries()),
    start('system', SYSTEM_BINARIES),
    NEWER_BINARIES ? start('newer', NEWER_BINARIES) : null,
  ])
  const [embedded, system, newer] = started
  if (embedded.status === 'fulfilled' && system.status === 'fulfilled' && newer.status === 'fulfilled') {
    return { servers: { embedded: embedded.value, system: system.value, newer: newer.value }, stop }
  }
  await stop()
  throw started.find((outcome) => outcome.status === 'rejected')?.reason
}

/** Makes the template that `createDatabase` copies; a test with a server of its own calls it too. */
export async function makeTemplate({ adminUrl, proxy }: TestServer, templateUrl: string): Promise<void> {
  await withDatabase({ DATABASE_URL: adminUrl, DATABASE_PROXY: proxy }, ({ query }) =>
    query(`CREATE DATABASE ${TEMPLATE_DATABASE}`),
  )
  await withDatabase({ DATABASE_URL: templateUrl, DATABASE_PROXY: proxy }, async ({ query }) => {
    const files = readdirSync(MIGRATIONS).filter((entry) => entry.endsWith('.sql'))
    for (const file of files.sort()) {
      const text = readFileSync(join(MIGRATIONS, file), 'utf8')
      for (const statement of text.split('--> statement-breakpoint')) await query(statement)
    }
  })
}
