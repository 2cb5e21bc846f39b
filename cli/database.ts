import { connect } from 'node:net'
import { WebSocket as NodeWebSocket } from 'ws'
import { TidemarkError } from '../protocol/errors.ts'
import { type Database, databaseMessageOf, MIGRATION_APPLICATION, openDatabase } from '../workers/database/index.ts'
import type { DatabaseEnv } from '../workers/env.ts'
import { startWebSocketProxy } from './postgres/websocket-proxy.ts'

/** The way by which a command, and the Worker it serves, reach a database; close it when both are done. */
export interface DatabaseAccess {
  readonly env: DatabaseEnv
  /** Address of the database, without its password. */
  readonly shown: string
  close(): Promise<void>
}

/** Neon answers WebSockets itself; any other Postgres is reached through a proxy on loopback. */
const NEON_HOST = /\.neon\.(tech|build)$/
const DIAL_TIMEOUT_MS = 10_000

/**
 * Prepares the way to a database. Throws `bad-input` for a URL that is not a direct database URL, `unavailable` where
 * nothing answers.
 */
export async function accessDatabase(databaseUrl: string): Promise<DatabaseAccess> {
  const url = parseDatabaseUrl(databaseUrl)
  const shown = showDatabaseUrl(databaseUrl)
  // Node has its own WebSocket only from 22 on.
  if (globalThis.WebSocket === undefined) Object.assign(globalThis, { WebSocket: NodeWebSocket })
  if (NEON_HOST.test(url.hostname)) {
    return { env: { DATABASE_URL: databaseUrl }, shown, close: async () => {} }
  }
  const address = { host: url.hostname.replace(/^\[|\]$/g, ''), port: Number(url.port || 5432) }
  await dial(address, shown)
  const proxy = await startWebSocketProxy(address)
  return { env: { DATABASE_URL: databaseUrl, DATABASE_PROXY: proxy.address }, shown, close: () => proxy.close() }
}

/** Opens a connection for migrations: no statement limit, errors that name the database. */
export async function openForMigration(access: DatabaseAccess): Promise<Database> {
  try {
    return await openDatabase(access.env, {
      applicationName: MIGRATION_APPLICATION,
      statementTimeoutMs: 0,
      idleInTransactionTimeoutMs: 0,
    })
  } catch (error) {
    const reason = databaseMessageOf(error) ?? (error instanceof Error ? error.message : String(error))
    throw new TidemarkError('unavailable', `Cannot open the database ${access.shown}: ${reason}`, { cause: error })
  }
}

/** Parses a direct database URL. Throws `bad-input`. */
function parseDatabaseUrl(databaseUrl: string): URL {
  const url = URL.canParse(databaseUrl) ? new URL(databaseUrl) : null
  if (url === null || !/^postgres(ql)?:$/.test(url.protocol) || url.hostname === '' || url.pathname.length < 2) {
    throw new TidemarkError(
      'bad-input',
      'The database URL must look like postgres://user:password@host:5432/database. It is not shown here: it may hold a password.',
    )
  }
  if (url.hostname.split('.')[0]?.endsWith('-pooler')) {
    throw new TidemarkError(
      'bad-input',
      `${url.hostname} is a connection pooler, which offers no session locks and no replication. ` +
        'Use the direct host: the same name without -pooler.',
    )
  }
  return url
}

/** Prints the URL without its password and options. */
function showDatabaseUrl(databaseUrl: string): string {
  const url = new URL(databaseUrl)
  return `postgres://${url.username ? `${url.username}@` : ''}${url.host}${url.pathname}`
}

function dial(address: { host: string; port: number }, shown: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ ...address, timeout: DIAL_TIMEOUT_MS })
    const fail = (reason: string) => {
      socket.destroy()
      reject(
        new TidemarkError(
          'unavailable',
          `No database answers at ${shown} (${reason}). Start it, or correct the database URL.`,
        ),
      )
    }
    socket.once('connect', () => {
      socket.destroy()
      resolve()
    })
    socket.once('timeout', () => fail('no answer within ten seconds'))
    socket.once('error', (error: NodeJS.ErrnoException) => fail(error.code ?? error.message))
  })
}

/** Returns the URL that was given. Throws `bad-input` where none was. */
export function requireDatabaseUrl(value: string | undefined): string {
  if (value !== undefined) return value
  throw new TidemarkError(
    'bad-input',
    'No database given. Set DATABASE_URL, or pass --database-url postgres://user:password@host:5432/database',
  )
}
