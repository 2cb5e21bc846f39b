import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { chownSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { TidemarkError } from '../../protocol/errors.ts'
import { majorVersion } from './postgres-binaries.ts'
import { unprivileged } from './unprivileged.ts'

export interface PostgresOptions {
  /** Folder with `initdb` and `postgres`. */
  readonly binDirectory: string
  /** Made by `initdb` when it is empty or missing. */
  readonly dataDirectory: string
  readonly port: number
  /** The password of the superuser `postgres`, set when the data directory is made. */
  readonly password: string
  /** Server settings besides those that logical decoding needs. */
  readonly settings?: Readonly<Record<string, string>>
}

export interface PostgresServer {
  readonly port: number
  readonly pid: number
  /** Connection string of the superuser. */
  url(database: string): string
  /** Settles when the server process has ended, whatever the reason. */
  readonly ended: Promise<void>
  /** Shuts down fast; insists after a while. */
  stop(): Promise<void>
  /** Ends the server and all its backends by SIGKILL, as a power cut would. */
  kill(): Promise<void>
}

const SETTINGS: Readonly<Record<string, string>> = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  wal_level: 'logical',
  max_replication_slots: '64',
  max_wal_senders: '8',
  max_connections: '200',
  log_min_messages: 'warning',
  log_line_prefix: '',
}
const STOP_WAIT_MS = 10_000
/** After a kill the old processes hold the data directory for a moment. */
const START_TRIES = 40
const START_RETRY_MS = 250

/**
 * Starts Postgres on 127.0.0.1, ready for logical decoding, and waits until it answers.
 *
 * Throws `misconfigured` for a data directory of another version, a port in use, or a server that does not start.
 */
export async function startPostgresServer(options: PostgresOptions): Promise<PostgresServer> {
  prepare(options)
  for (let attempt = 1; ; attempt++) {
    const started = await launch(options)
    if ('server' in started) return started.server
    const busy = /pre-existing shared memory|lock file .* already exists|still in use/.test(started.log)
    if (!busy || attempt === START_TRIES) throw startError(options, started.log)
    await new Promise((resolve) => setTimeout(resolve, START_RETRY_MS))
  }
}

function prepare({ binDirectory, dataDirectory, password }: PostgresOptions): void {
  const versionFile = join(dataDirectory, 'PG_VERSION')
  const wanted = majorVersion(binDirectory)
  if (existsSync(versionFile)) {
    const found = readFileSync(versionFile, 'utf8').trim()
    if (found === wanted) return
    throw new TidemarkError(
      'misconfigured',
      `The data directory ${dataDirectory} was made by Postgres ${found}, this is ${wanted}. Start with --reset to make it anew, or give another --data-dir.`,
    )
  }
  const user = unprivileged()
  mkdirSync(dataDirectory, { recursive: true })
  const passwordFile = `${dataDirectory}.password`
  writeFileSync(passwordFile, password, { mode: 0o600 })
  if (user.owner) for (const path of [dataDirectory, passwordFile]) chownSync(path, user.owner.uid, user.owner.gid)
  const { file, args } = user.command(join(binDirectory, 'initdb'), [
    `--pgdata=${dataDirectory}`,
    '--username=postgres',
    `--pwfile=${passwordFile}`,
    '--auth=password',
    '--encoding=UTF8',
    '--locale=C',
    '--no-instructions',
    '--no-sync',
  ])
  try {
    execFileSync(file, args, { stdio: ['ignore', 'ignore', 'pipe'] })
  } catch (error) {
    throw new TidemarkError('misconfigured', `initdb failed in ${dataDirectory}: ${String(error)}`, { cause: error })
  } finally {
    rmSync(passwordFile, { force: true })
  }
}

/**
 * Allows the decoders where the server knows the setting: security releases allow only listed ones, and older servers
 * refuse to start with it.
 */
function pluginSetting({ binDirectory, dataDirectory }: PostgresOptions): Record<string, string> {
  const { file, args } = unprivileged().command(join(binDirectory, 'postgres'), [
    '-C',
    'output_plugin_libraries',
    '-D',
    dataDirectory,
  ])
  try {
    execFileSync(file, args, { stdio: 'ignore' })
    return { output_plugin_libraries: 'pgoutput, test_decoding, wal2json' }
  } catch {
    return {}
  }
}

async function launch(options: PostgresOptions): Promise<{ server: PostgresServer } | { log: string }> {
  const settings = { ...SETTINGS, ...pluginSetting(options), ...options.settings, port: String(options.port) }
  const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  const { file, args } = unprivileged().command(join(options.binDirectory, 'postgres'), [
    '-D',
    options.dataDirectory,
    ...flags,
  ])
  const child = spawn(file, args, { stdio: ['ignore', 'ignore', 'pipe'], detached: true })
  const ended = new Promise<void>((resolve) => {
    child.once('exit', () => resolve())
    child.once('error', () => resolve())
  })
  let log = ''
  const ready = new Promise<boolean>((resolve) => {
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      log = (log + text).slice(-8_000)
      if (text.includes('ready to accept connections')) resolve(true)
    })
    void ended.then(() => resolve(false))
  })
  if (!(await ready)) return { log }
  return { server: serverOf(options, child, ended) }
}

function serverOf(options: PostgresOptions, child: ChildProcess, ended: Promise<void>): PostgresServer {
  return {
    port: options.port,
    pid: child.pid ?? 0,
    ended,
    url: (database) =>
      `postgresql://postgres:${encodeURIComponent(options.password)}@127.0.0.1:${options.port}/${encodeURIComponent(database)}`,
    async stop() {
      child.kill('SIGINT')
      const insist = setTimeout(() => child.kill('SIGQUIT'), STOP_WAIT_MS)
      await ended
      clearTimeout(insist)
    },
    async kill() {
      // A backend left alone may hold the data directory for long; a power cut takes all of them.
      const backends = childrenOf(child.pid ?? 0)
      child.kill('SIGKILL')
      for (const pid of backends) killIfAlive(pid)
      await ended
    },
  }
}

function childrenOf(parent: number): number[] {
  const lines = execFileSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' }).trim().split('\n')
  const pairs = lines.map((line) => line.trim().split(/\s+/).map(Number))
  return pairs.flatMap(([pid, ppid]) => (pid !== undefined && ppid === parent ? [pid] : []))
}

function killIfAlive(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It has ended by itself.
  }
}

function startError({ port, dataDirectory }: PostgresOptions, log: string): TidemarkError {
  if (/Address already in use|could not bind/.test(log)) {
    return new TidemarkError(
      'misconfigured',
      `Port ${port} is in use: give another --postgres-port, or stop what listens there.`,
    )
  }
  return new TidemarkError('misconfigured', `Postgres did not start in ${dataDirectory}:\n${log.trim()}`)
}
