/*
 * The one way to Postgres from Workers and Durable Objects.
 *
 * A connection is a WebSocket through Neon's driver, or through a proxy beside a local server. Each caller opens its
 * own, under `PINNED_SETTINGS`, so that a text means the same wherever it comes from; transactions set them again,
 * because a pooler may have handed the session to others. Statements written in one turn leave as one message. Values
 * are text in and out, as parameters; statements with parameters are planned once where the session is ours. Pages of a
 * large answer are fetched one ahead (`cursor.ts`).
 *
 *     open ──► query, transaction, pages ──► close
 *                  │
 *                  └─► cut, or out of time: unusable, and its holder opens another
 *
 * Every fault becomes a TidemarkError: `unavailable` where another try may help, `misconfigured` where the login is
 * refused, else `internal`, with Postgres' own message in its cause, for operators alone. A statement that outlives the
 * server's own limit by five seconds is taken for dead, together with its connection.
 *
 * It is long because statements, transactions and faults all move the state of one session.
 */
import { Client } from '@neondatabase/serverless'
import type { Parameter, Query } from '../../db/query.ts'
import { PINNED_SETTINGS, TidemarkError } from '../../protocol/index.ts'
import type { DatabaseEnv } from '../env.ts'
import { within } from '../within.ts'
import { readPages } from './cursor.ts'
import { sqlStateOf, toDatabaseError } from './database-error.ts'
import { faultField } from './fault-field.ts'
import { promptWebSocket } from './prompt-web-socket.ts'
import { sendAhead } from './send-ahead.ts'
import type { PageOptions, Pages, QueryRows } from './text-rows.ts'

export type { Parameter } from '../../db/query.ts'

/** The name by which others know a session that migrates. */
export const MIGRATION_APPLICATION = 'tidemark-cli'

export interface OpenOptions {
  /** Shown in `pg_stat_activity`. */
  readonly applicationName?: string
  readonly connectTimeoutMs?: number
  /** 0 means no limit. */
  readonly statementTimeoutMs?: number
  readonly lockTimeoutMs?: number
  readonly idleInTransactionTimeoutMs?: number
  /** Plans statements with parameters once; not for use through a pooler, which may hand the session to others. */
  readonly prepare?: boolean
}

export interface TransactionOptions {
  readonly isolation?: 'read committed' | 'repeatable read' | 'serializable'
  readonly readOnly?: boolean
}

/** An open transaction; valid until the function it was given to returns. */
export interface DatabaseTransaction {
  readonly query: Query
  readonly rows: QueryRows
  /** Like `query`, and the COMMIT is sent with it: nothing may follow. */
  readonly last: Query
  /** Like `query`, for exactly one statement: Postgres refuses a text that holds more. */
  readonly single: Query
  /** Reads a query through a cursor, page by page; one page is fetched ahead while another is in use. */
  pages(text: string, params?: readonly Parameter[], options?: PageOptions): Pages
}

/** One connection under `PINNED_SETTINGS`. Statements queue up; transactions must not overlap. */
export interface Database {
  readonly query: Query
  readonly rows: QueryRows
  /** Runs and commits; rolls back when `run` throws. `PINNED_SETTINGS` are set locally, whatever a pooler did. */
  transaction<T>(run: (transaction: DatabaseTransaction) => Promise<T>, options?: TransactionOptions): Promise<T>
  /** Brings the session back to how it was opened: all that was set, locked, listened to or made in it is gone. */
  reset(): Promise<void>
  /** The server's process of this session, as `pg_stat_activity` numbers it. */
  readonly processId: string
  /** False once the connection was cut or a statement ran out of time; open another. */
  readonly usable: boolean
  close(): Promise<void>
}

export interface Statement {
  readonly text: string
  readonly values: Parameter[]
  /** The name of a prepared statement, which is planned once. */
  readonly name?: string
  readonly rowMode?: 'array'
}

/** The part of a driver's client that is used here. */
export interface DriverClient {
  connect(): Promise<unknown>
  query<Row>(statement: Statement | string): Promise<{ readonly rows: Row[]; readonly command: string }>
  on(event: 'error' | 'end', listener: () => void): unknown
  end(): Promise<void>
}

const RAW_TEXT = { getTypeParser: () => (value: string) => value }
const SET_LOCAL = Object.entries(PINNED_SETTINGS)
  .map(([name, value]) => `SET LOCAL ${name} = '${value}';`)
  .join(' ')
/** DISCARD ALL without its DEALLOCATE: statements that are planned already stay. */
const RESET = `CLOSE ALL; UNLISTEN *; SELECT pg_advisory_unlock_all(); DISCARD TEMP; DISCARD SEQUENCES;
  RESET SESSION AUTHORIZATION; RESET ROLE; RESET ALL`
/** This long after the server's own limit the connection is taken for dead. */
const CLIENT_GRACE_MS = 5_000
const STATEMENT_MS = 60_000
const CLOSE_WAIT_MS = 2_000
const MAX_PREPARED = 50

/** Opens one connection. Throws `unavailable` or `misconfigured`. */
export async function openDatabase(env: DatabaseEnv, options: OpenOptions = {}): Promise<Database> {
  const statementTimeoutMs = options.statementTimeoutMs ?? STATEMENT_MS
  const client = new Client({
    connectionString: env.DATABASE_URL,
    types: RAW_TEXT,
    connectionTimeoutMillis: options.connectTimeoutMs ?? 15_000,
    ...(statementTimeoutMs > 0 ? { query_timeout: statementTimeoutMs + CLIENT_GRACE_MS } : {}),
  })
  const config = client.neonConfig
  config.coalesceWrites = false
  config.webSocketConstructor = promptWebSocket(config.webSocketConstructor ?? WebSocket)
  if (env.DATABASE_PROXY !== undefined) useProxy(client, env.DATABASE_PROXY)
  return openOver(client, options, () => sendAhead(client))
}

/**
 * Opens a connection over a client that was just made, which gives values as text. `sendAhead` sends statements that it
 * keeps back. Throws `unavailable` or `misconfigured`.
 */
export async function openOver(
  client: DriverClient,
  options: OpenOptions = {},
  sendAhead: () => void = () => {},
): Promise<Database> {
  const statementTimeoutMs = options.statementTimeoutMs ?? STATEMENT_MS
  const settings = {
    ...PINNED_SETTINGS,
    statement_timeout: String(statementTimeoutMs),
    lock_timeout: String(options.lockTimeoutMs ?? 10_000),
    idle_in_transaction_session_timeout: String(options.idleInTransactionTimeoutMs ?? 60_000),
    application_name: options.applicationName ?? 'tidemark',
  }
  const connection = new Connection(client, settings, options.prepare ?? false, sendAhead)
  try {
    await client.connect()
    await connection.configure()
  } catch (error) {
    await connection.close()
    throw toDatabaseError(error)
  }
  return connection
}

/** Opens, runs and closes, whatever happens. */
export async function withDatabase<T>(
  env: DatabaseEnv,
  run: (database: Database) => Promise<T>,
  options?: OpenOptions,
): Promise<T> {
  const database = await openDatabase(env, options)
  try {
    return await run(database)
  } finally {
    await database.close()
  }
}

/** Lets a connection go through a proxy beside its server. */
export function useProxy(client: Client, proxy: string): void {
  const config = client.neonConfig
  // The proxy reads the address to dial from the query, and refuses all but the server that it stands for.
  config.wsProxy = (host, port) => `${proxy}/?address=${host}:${port}`
  config.useSecureWebSocket = false
  config.pipelineConnect = false
  config.pipelineTLS = false
  config.forceDisablePgSSL = true
}

class Connection implements Database {
  usable = true
  processId = ''
  #ended = false
  readonly #client: DriverClient
  readonly #settings: Readonly<Record<string, string>>
  readonly #prepares: boolean
  readonly #sendAhead: () => void
  /** Names by text. */
  readonly #prepared = new Map<string, string>()

  constructor(
    client: DriverClient,
    settings: Readonly<Record<string, string>>,
    prepare: boolean,
    sendAhead: () => void,
  ) {
    this.#sendAhead = sendAhead
    this.#client = client
    this.#settings = settings
    this.#prepares = prepare
    // Without a listener a cut connection would be an uncaught error.
    client.on('error', () => {
      this.usable = false
    })
    client.on('end', () => {
      this.#ended = true
      this.usable = false
    })
  }

  query: Query = (text, params) => this.#query(this.#statement(text, params))

  async #query(statement: Statement): Promise<Record<string, string | null>[]> {
    const result = await this.#run(() => this.#send(this.#client.query<Record<string, string | null>>(statement)))
    return result.rows
  }

  rows: QueryRows = async (text, params) => {
    const result = await this.#run(() =>
      this.#send(this.#client.query<(string | null)[]>({ ...this.#statement(text, params), rowMode: 'array' })),
    )
    return result.rows
  }

  async transaction<T>(
    run: (transaction: DatabaseTransaction) => Promise<T>,
    options: TransactionOptions = {},
  ): Promise<T> {
    const mode = `ISOLATION LEVEL ${options.isolation ?? 'read committed'} READ ${options.readOnly ? 'ONLY' : 'WRITE'}`
    // Awaited: statements sent ahead of a BEGIN that fails would run by themselves, and as another role.
    await this.#run(() => this.#client.query(`BEGIN ${mode}; ${SET_LOCAL}`))
    let committing: Promise<void> | null = null
    try {
      const result = await run({
        query: this.query,
        rows: this.rows,
        single: (text, params = []) => this.#query({ ...this.#statement(text, params), name: this.#nameOf(text) }),
        last: async (text, params) => {
          const answer = this.query(text, params)
          committing = this.#commit()
          committing.catch(() => undefined)
          return await answer
        },
        pages: (text, params, pageOptions) => readPages(this.rows, text, params ?? [], pageOptions),
      })
      await (committing ?? this.#commit())
      return result
    } catch (error) {
      if (this.usable) await this.#client.query('ROLLBACK').catch(() => this.#broke())
      throw error
    }
  }

  async configure(): Promise<void> {
    const entries = Object.entries(this.#settings)
    const calls = entries.map((_, index) => `set_config($${2 * index + 1}, $${2 * index + 2}, false)`).join(', ')
    const [row] = await this.rows(`SELECT pg_backend_pid(), ${calls}`, entries.flat())
    this.processId = row?.[0] ?? ''
  }

  async reset(): Promise<void> {
    await Promise.all([this.#run(() => this.#client.query(RESET)), this.configure()])
  }

  async close(): Promise<void> {
    this.usable = false
    // A closing message on a socket that is already closed would be an uncaught error.
    if (this.#ended) return
    await within(
      CLOSE_WAIT_MS,
      this.#client.end().catch(() => {}),
    )
  }

  /** Names only the first texts: those that recur come early, and texts made for one use have no parameters. */
  #statement(text: string, params: readonly Parameter[] = []): Statement {
    const statement = { text, values: [...params] }
    if (!this.#prepares || params.length === 0) return statement
    const isKnown = this.#prepared.has(text)
    if (!isKnown && (this.#prepared.size >= MAX_PREPARED || text.startsWith('DECLARE'))) return statement
    return { ...statement, name: this.#nameOf(text) }
  }

  #nameOf(text: string): string {
    const known = this.#prepared.get(text)
    if (known !== undefined) return known
    const name = `tidemark_${this.#prepared.size}`
    this.#prepared.set(text, name)
    return name
  }

  async #commit(): Promise<void> {
    const result = await this.#run(() => this.#send(this.#client.query('COMMIT')))
    // A transaction that swallowed an error answers COMMIT with ROLLBACK.
    if (result.command !== 'COMMIT')
      throw new TidemarkError('internal', 'The transaction had failed and was rolled back.')
  }

  #send<Result>(statement: Promise<Result>): Promise<Result> {
    this.#sendAhead()
    return statement
  }

  async #run<T>(start: () => Promise<T>): Promise<T> {
    if (!this.usable) throw new TidemarkError('unavailable', 'The connection to the database is closed; open another.')
    try {
      return await start()
    } catch (error) {
      const wrapped = toDatabaseError(error)
      // Without an SQLSTATE the driver gave up; with one of these the server ended the session, unless a statement
      // raised it.
      if (/^(08|57P)|^$/.test(sqlStateOf(wrapped) ?? '') && faultField(wrapped, 'severity') !== 'ERROR') this.#broke()
      throw wrapped
    }
  }

  #broke(): void {
    this.usable = false
  }
}
