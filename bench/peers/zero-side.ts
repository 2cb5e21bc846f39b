import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { freePort } from '../../testing/postgres/free-port.ts'
import { FAST_SETTINGS, SYSTEM_BINARIES } from '../../testing/postgres/global-setup.ts'
import { startTestServer } from '../../testing/postgres/start-test-server.ts'
import { startProxyAside } from '../../testing/system/start-proxy-aside.ts'
import { openDatabase } from '../../workers/database/index.ts'
import { forkClient, type Side, seedSql } from './side.ts'

/** The version that is measured; another one is another measurement. */
const ZERO_VERSION = '1.9.0'
const MODULES = ['zero-schema.mjs', 'zero-queries.mjs', 'zero-client.mjs']
const CREATE = `CREATE TABLE public.item (
  id text PRIMARY KEY, grp int NOT NULL, title text NOT NULL, body text NOT NULL, seq float8 NOT NULL)`
const START_MS = 120_000
const STOP_MS = 10_000

/** Installs Zero into a temporary folder, with the one script that it needs, and answers the folder. */
export function installZero(): string {
  const folder = mkdtempSync(join(tmpdir(), 'tidemark-peers-'))
  writeFileSync(
    join(folder, 'package.json'),
    JSON.stringify({ private: true, type: 'module', dependencies: { '@rocicorp/zero': ZERO_VERSION } }),
  )
  // Its SQLite comes prebuilt, so that no script need run.
  execFileSync('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund'], { cwd: folder, stdio: 'ignore' })
  for (const name of MODULES) copyFileSync(fileURLToPath(new URL(name, import.meta.url)), join(folder, name))
  return folder
}

async function stopProcess(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  child.kill('SIGTERM')
  const insists = setTimeout(() => child.kill('SIGKILL'), STOP_MS)
  await ended
  clearTimeout(insists)
}

/** Starts Zero's server with the app's endpoint beside it, on a Postgres of its own. */
export async function startZero(folder: string, groups: number): Promise<Side> {
  const state = mkdtempSync(join(folder, 'run-'))
  const postgres = await startTestServer({
    binDirectory: SYSTEM_BINARIES,
    dataDirectory: join(state, 'postgres'),
    port: await freePort(),
    password: 'peers',
    settings: FAST_SETTINGS,
  })
  const proxy = await startProxyAside(postgres.port)
  const env = { DATABASE_URL: postgres.url('postgres'), DATABASE_PROXY: proxy.address }
  const database = await openDatabase(env, { statementTimeoutMs: 0 })
  for (const statement of [CREATE, seedSql(groups), 'ANALYZE public.item']) await database.query(statement)
  await database.close()
  const queryPort = await freePort()
  // Its change streamer takes the port after this one.
  const port = await freePort()
  const run = (module: string, more: Record<string, string>) =>
    spawn(process.execPath, [join(folder, module)], {
      cwd: folder,
      stdio: ['ignore', 'ignore', 'inherit'],
      env: { ...process.env, DO_NOT_TRACK: '1', ZERO_ENABLE_TELEMETRY: 'false', ...more },
    })
  const app = run('zero-queries.mjs', { QUERY_PORT: String(queryPort) })
  const server = run('node_modules/@rocicorp/zero/out/zero/src/cli.js', {
    NODE_ENV: 'production',
    ZERO_ADMIN_PASSWORD: 'peers',
    ZERO_ENABLE_CRUD_MUTATIONS: 'false',
    ZERO_LOG_LEVEL: 'error',
    ZERO_NUM_SYNC_WORKERS: '2',
    ZERO_PORT: String(port),
    ZERO_QUERY_URL: `http://127.0.0.1:${queryPort}/query`,
    ZERO_REPLICA_FILE: join(state, 'replica.db'),
    ZERO_UPSTREAM_DB: env.DATABASE_URL,
  })
  const stop = async () => {
    await stopProcess(server)
    await stopProcess(app)
    await proxy.close()
    await postgres.stop()
    rmSync(state, { recursive: true, force: true })
  }
  const url = `http://127.0.0.1:${port}`
  try {
    for (let waitedMs = 0; !(await isUp(`${url}/keepalive`)); waitedMs += 200) {
      if (waitedMs > START_MS || server.exitCode !== null) throw new Error('Zero did not start.')
      await wait(200)
    }
  } catch (error) {
    await stop()
    throw error
  }
  return {
    name: `Zero ${ZERO_VERSION}`,
    env,
    openClient: (held, wanted) =>
      forkClient(
        join(folder, 'zero-client.mjs'),
        { do: 'open', url, user: '', token: '', groups: held, wanted },
        folder,
      ),
    stop,
  }
}

async function isUp(url: string): Promise<boolean> {
  try {
    return (await fetch(url)).ok
  } catch {
    return false
  }
}
