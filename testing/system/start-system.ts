import { execFileSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { applyMigrations } from '../../cli/migrations/apply-migrations.ts'
import { embeddedBinaries } from '../../cli/postgres/postgres-binaries.ts'
import { type PostgresOptions, type PostgresServer, startPostgresServer } from '../../cli/postgres/postgres-server.ts'
import { startWebSocketProxy } from '../../cli/postgres/websocket-proxy.ts'
import type { Sync } from '../../db/index.ts'
import { quoteLiteral } from '../../protocol/index.ts'
import type { ReplicationHealth } from '../../workers/contracts.ts'
import { type Database, openDatabase } from '../../workers/database/index.ts'
import type { DatabaseEnv } from '../../workers/env.ts'
import type { PushTarget } from '../../workers/push/forward-push.ts'
import { freePort } from '../postgres/free-port.ts'
import { FAST_SETTINGS, NEWER_BINARIES, SYSTEM_BINARIES } from '../postgres/global-setup.ts'
import { startTestServer } from '../postgres/start-test-server.ts'
import { bundleWorker } from './bundle-worker.ts'
import { startProxyAside } from './start-proxy-aside.ts'
import { startTcpGate, type TcpGate } from './tcp-gate.ts'
import { signToken, type TokenClaims } from './tokens.ts'
import { startWorkerHost, type WorkerHost } from './worker-host.ts'

/** The app in the system: a sync definition by value and by module, and the migrations that make its tables. */
export interface SystemApp {
  readonly sync: Sync
  /** The module whose export `sync` this is; the Worker bundles it. */
  readonly syncModule: URL
  /** The module that exports `audiences`; without it the token lists them. */
  readonly audiencesModule?: URL
  /** The module that exports `actions`, the server's halves of them. */
  readonly actionsModule?: URL
  /** The server of the app that decides what is written, in place of the Worker. */
  readonly pushTo?: PushTarget
  /** Folder of numbered SQL files. */
  readonly migrations: URL
}

export interface SystemOptions {
  readonly app: SystemApp
  /** The embedded Postgres (default), the distribution's with wal2json, or that of NEWER_POSTGRES with a newer one. */
  readonly postgres?: 'embedded' | 'system' | 'newer'
  /** Passed to `createSyncWorker`; plain JSON. */
  readonly workerOptions?: Readonly<Record<string, unknown>>
  /** Runs after the migrations and before anything is captured. */
  readonly seed?: (env: DatabaseEnv) => Promise<void>
  readonly postgresSettings?: Readonly<Record<string, string>>
  /** Runs the database proxy in a process of its own, for measuring. */
  readonly proxyAside?: boolean
  /** Module whose export `instrument` takes the Worker's parts and answers those that run. */
  readonly instrument?: URL
}

/**
 * `copy`: the files as they were, slots among them. `branch`: the same without slots, as a base backup has them. `recovery`: a base
 * backup and the log up to where it was put aside, which Postgres ends by another timeline.
 */
type RestoreWay = 'copy' | 'branch' | 'recovery'

interface Restore {
  readonly way: RestoreWay
  /** What happens to the restored database before anybody else reaches it. */
  readonly before?: (database: Database) => Promise<void>
}

/** A whole Tidemark: Postgres, Worker and the network between it and its clients, each of which can be made to fail. */
export interface System {
  /** The address that clients use; it leads through the gate. */
  readonly url: string
  /** The settings with which `openDatabase` reaches the database from here. */
  readonly env: DatabaseEnv
  readonly databaseUrl: string
  readonly gate: TcpGate
  readonly worker: WorkerHost
  /** The last lines that the Worker logged, oldest first. */
  readonly workerLog: readonly string[]
  readonly adminToken: string
  token(claims: TokenClaims): Promise<string>
  openDatabase(): Promise<Database>
  health(): Promise<ReplicationHealth>
  killWorkerd(): Promise<void>
  /** Ends Postgres by SIGKILL; every connection breaks and the slot goes back to its last checkpoint. */
  killPostgres(): Promise<void>
  restartPostgres(): Promise<void>
  /** Puts the whole database aside as it is now, its slots too; connections break meanwhile. */
  saveDatabase(): Promise<void>
  /** Takes the database back to what was put aside, in one of the ways in which that is done. */
  restoreDatabase(way?: Restore): Promise<void>
  dropSockets(): void
  /** Keeps commits in the log and hidden from all until `releaseCommits`, as if a synchronous standby were slow. */
  holdCommits(): Promise<void>
  releaseCommits(): Promise<void>
  dispose(): Promise<void>
}

const PASSWORD = 'tidemark'
const JWT_SECRET = 'a secret of the tests, long enough for HS256'
const ADMIN_TOKEN = 'admin-of-the-tests'
const LOG_LINES = 2_000

export async function startSystem(options: SystemOptions): Promise<System> {
  const folder = mkdtempSync(join(tmpdir(), 'tidemark-system-'))
  const undo: (() => unknown)[] = [() => rmSync(folder, { recursive: true, force: true })]
  const dispose = async () => {
    for (const step of undo.toReversed()) await step()
  }
  try {
    const postgresOptions = {
      binDirectory: binariesOf(options.postgres ?? 'embedded'),
      dataDirectory: join(folder, 'postgres'),
      port: await freePort(),
      password: PASSWORD,
      settings: { ...FAST_SETTINGS, ...options.postgresSettings },
    }
    let postgres: PostgresServer = await startTestServer(postgresOptions)
    undo.push(() => postgres.stop())
    const proxy = options.proxyAside
      ? await startProxyAside(postgres.port)
      : await startWebSocketProxy({ host: '127.0.0.1', port: postgres.port })
    undo.push(() => proxy.close())
    const databaseUrl = postgres.url('postgres')
    const env: DatabaseEnv = { DATABASE_URL: databaseUrl, DATABASE_PROXY: proxy.address }
    await migrate(env, options.app)
    await options.seed?.(env)

    const workerLog: string[] = []
    const worker = await startWorkerHost({
      script: await bundleWorker({
        syncModule: options.app.syncModule,
        audiencesModule: options.app.audiencesModule,
        instrument: options.instrument,
        actionsModule: options.app.actionsModule,
        pushTo: options.app.pushTo,
        workerOptions: options.workerOptions ?? {},
        jwtSecret: JWT_SECRET,
      }),
      vars: { DATABASE_URL: databaseUrl, DATABASE_PROXY: proxy.address, ADMIN_TOKEN },
      statePath: join(folder, 'objects'),
      onLog: ({ level, message }) => {
        workerLog.push(`${level} ${message}`)
        if (workerLog.length > LOG_LINES) workerLog.shift()
      },
    })
    undo.push(() => worker.dispose())
    const gate = await startTcpGate(worker.port)
    undo.push(() => gate.dispose())
    const saved = join(folder, 'saved')
    const open = (to: DatabaseEnv) =>
      openDatabase(to, { applicationName: 'test', statementTimeoutMs: 0, idleInTransactionTimeoutMs: 0 })
    let savedPoint = ''
    const restore = async ({ way, before }: Restore) => {
      const { dataDirectory } = postgresOptions
      await postgres.kill()
      const log = join(folder, 'log')
      copyWhole(join(dataDirectory, 'pg_wal'), log)
      copyWhole(saved, dataDirectory)
      if (way !== 'copy') emptyFolder(join(dataDirectory, 'pg_replslot'))
      if (way === 'recovery') writeFileSync(join(dataDirectory, 'recovery.signal'), '')
      const recovery = way === 'recovery' ? recoveryTo(savedPoint, log) : {}
      const settings = { ...postgresOptions.settings, ...recovery }
      if (before) await alone({ ...postgresOptions, settings, port: await freePort() }, before)
      postgres = await startPostgresServer({ ...postgresOptions, settings })
    }
    /** Runs it on a server that nobody else knows. */
    const alone = async (server: PostgresOptions, use: (database: Database) => Promise<void>) => {
      const started = await startPostgresServer(server)
      const proxy = await startWebSocketProxy({ host: '127.0.0.1', port: started.port })
      try {
        const database = await open({ DATABASE_URL: started.url('postgres'), DATABASE_PROXY: proxy.address })
        await use(database)
        await database.close()
      } finally {
        await proxy.close()
        await started.stop()
      }
    }
    // Nothing is captured before somebody asks: the cron arms the alarm, as it does after a deploy.
    await worker.cron()

    return {
      url: `http://127.0.0.1:${gate.port}`,
      env,
      databaseUrl,
      gate,
      worker,
      workerLog,
      adminToken: ADMIN_TOKEN,
      token: (claims) => signToken(JWT_SECRET, claims),
      openDatabase: () => open(env),
      async health() {
        const answer = await fetch(`http://127.0.0.1:${worker.port}/health/replication`, {
          headers: { authorization: `Bearer ${ADMIN_TOKEN}` },
        })
        return (await answer.json()) as ReplicationHealth
      },
      killWorkerd: () => worker.kill(),
      killPostgres: () => postgres.kill(),
      async restartPostgres() {
        postgres = await startPostgresServer(postgresOptions)
      },
      async saveDatabase() {
        await postgres.kill()
        copyWhole(postgresOptions.dataDirectory, saved)
        postgres = await startPostgresServer(postgresOptions)
        savedPoint = randomUUID()
        const database = await open(env)
        await database.query('SELECT pg_create_restore_point($1)', [savedPoint])
        await database.close()
      },
      restoreDatabase: (how = { way: 'copy' }) => restore(how),
      dropSockets: () => gate.cut(),
      holdCommits: () => setStandbys(env, 'nobody'),
      releaseCommits: () => setStandbys(env, ''),
      dispose,
    }
  } catch (error) {
    await dispose()
    throw error
  }
}

/** Puts a copy of a folder in the place of another; it keeps the owner, who may be another user than this process's. */
function copyWhole(from: string, to: string): void {
  rmSync(to, { recursive: true, force: true })
  execFileSync('cp', ['-a', from, to])
}

function emptyFolder(folder: string): void {
  for (const name of readdirSync(folder)) rmSync(join(folder, name), { recursive: true })
}

function recoveryTo(point: string, log: string): Record<string, string> {
  return {
    restore_command: `cp "${log}/%f" "%p"`,
    recovery_target_name: point,
    recovery_target_action: 'promote',
  }
}

function binariesOf(postgres: 'embedded' | 'system' | 'newer'): string {
  if (postgres === 'embedded') return embeddedBinaries()
  if (postgres === 'system') return SYSTEM_BINARIES
  if (!NEWER_BINARIES) throw new Error('NEWER_POSTGRES names no Postgres.')
  return NEWER_BINARIES
}

/** Sets the synchronous standbys; connections see the change soon, not at once. */
async function setStandbys(env: DatabaseEnv, names: string): Promise<void> {
  const database = await openDatabase(env)
  try {
    await database.query(`ALTER SYSTEM SET synchronous_standby_names = ${quoteLiteral(names)}`)
    await database.query('SELECT pg_reload_conf()')
  } finally {
    await database.close()
  }
}

async function migrate(env: DatabaseEnv, app: SystemApp): Promise<void> {
  const database = await openDatabase(env, { statementTimeoutMs: 0, idleInTransactionTimeoutMs: 0 })
  try {
    await applyMigrations(database, fileURLToPath(app.migrations), app.sync)
  } finally {
    await database.close()
  }
}
