import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestProject } from 'vitest/node'
import { embeddedBinaries } from '../../cli/postgres/postgres-binaries.ts'
import { type PostgresServer, startPostgresServer } from '../../cli/postgres/postgres-server.ts'
import { startWebSocketProxy, type WebSocketProxy } from '../../cli/postgres/websocket-proxy.ts'

/** One running server of the test run, as tests see it. */
export interface TestServer {
  readonly name: 'embedded' | 'system'
  /** Of the superuser, to the database `postgres`. */
  readonly adminUrl: string
  /** `host:port` of the WebSocket proxy in front of it. */
  readonly proxy: string
}

declare module 'vitest' {
  export interface ProvidedContext {
    servers: { readonly embedded: TestServer; readonly system: TestServer }
  }
}

/** Programs of the distribution's Postgres, which has wal2json. */
export const SYSTEM_BINARIES = '/usr/lib/postgresql/15/bin'
const WAL2JSON = '/usr/lib/postgresql/15/lib/wal2json.so'

/** Tests keep nothing, so they need not wait for the disk. */
export const FAST_SETTINGS = { fsync: 'off', full_page_writes: 'off', max_wal_size: '4GB' }

/** Starts both Postgres servers once for the whole run: the embedded one (pgoutput), and the system's (wal2json). */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  if (!existsSync(WAL2JSON)) {
    throw new Error(
      `The tests need Postgres 15 with wal2json (${WAL2JSON}): apt-get install postgresql-15 postgresql-15-wal2json`,
    )
  }
  const folder = mkdtempSync(join(tmpdir(), 'tidemark-test-'))
  const running: { server: PostgresServer; proxy: WebSocketProxy }[] = []
  const start = async (name: TestServer['name'], binDirectory: string): Promise<TestServer> => {
    const server = await startPostgresServer({
      binDirectory,
      dataDirectory: join(folder, name),
      port: await freePort(),
      password: 'tidemark',
      settings: { ...FAST_SETTINGS, max_prepared_transactions: '8' },
    })
    const proxy = await startWebSocketProxy({ host: '127.0.0.1', port: server.port })
    running.push({ server, proxy })
    return { name, adminUrl: server.url('postgres'), proxy: proxy.address }
  }
  const [embedded, system] = await Promise.all([
    start('embedded', embeddedBinaries()),
    start('system', SYSTEM_BINARIES),
  ])
  project.provide('servers', { embedded, system })
  return async () => {
    await Promise.all(
      running.map(async ({ server, proxy }) => {
        await proxy.close()
        await server.stop()
      }),
    )
    rmSync(folder, { recursive: true, force: true })
  }
}

/** A port that was free a moment ago. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() =>
        typeof address === 'object' && address ? resolve(address.port) : reject(new Error('no port')),
      )
    })
  })
}
