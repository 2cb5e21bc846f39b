import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseEnv } from 'node:util'
import type { DatabaseEnv } from '../../workers/env.ts'

export interface DevServer {
  /** The address of the page, as a browser opens it. */
  readonly url: string
  /** The settings with which `openDatabase` reaches its Postgres from here. */
  readonly env: DatabaseEnv
  readonly adminToken: string
  /** Everything it printed until it was ready. */
  readonly said: string
  /** Ends it as Ctrl-C does. */
  stop(): Promise<void>
  /** Ends the command, and the server and runtime that it started, by SIGKILL. */
  kill(): Promise<void>
}

export interface DevOptions {
  readonly app: string
  readonly dataDir: string
  /** 0 takes any free port. */
  readonly port: number
  /** Further arguments, such as `--reset`. */
  readonly more?: readonly string[]
}

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/** Runs `tidemark dev` from the built package until it says that it is ready. */
export async function startDev(options: DevOptions): Promise<DevServer> {
  // With this variable Vite would build the page as tests of React's own want it.
  const { NODE_ENV: _, ...env } = process.env
  const child = spawn(
    process.execPath,
    [
      'dist/cli/main.js',
      'dev',
      options.app,
      '--port',
      String(options.port),
      '--postgres-port',
      '0',
      '--data-dir',
      options.dataDir,
      ...(options.more ?? []),
    ],
    { cwd: ROOT, env, stdio: ['ignore', 'pipe', 'pipe'] },
  )
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  const { url, said } = await untilReady(child)
  const settings = parseEnv(readFileSync(join(options.dataDir, 'worker.env'), 'utf8'))
  return {
    url,
    said,
    adminToken: settings.ADMIN_TOKEN ?? '',
    env: {
      DATABASE_URL: settings.DATABASE_URL ?? '',
      ...(settings.DATABASE_PROXY ? { DATABASE_PROXY: settings.DATABASE_PROXY } : {}),
    },
    async stop() {
      child.kill('SIGINT')
      await ended
    },
    async kill() {
      const { workerPid } = JSON.parse(readFileSync(join(options.dataDir, 'running.json'), 'utf8')) as {
        workerPid: number
      }
      child.kill('SIGKILL')
      process.kill(-workerPid, 'SIGKILL')
      await ended
    },
  }
}

function untilReady(child: ChildProcess): Promise<{ url: string; said: string }> {
  return new Promise((resolve, reject) => {
    let said = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8')
      stream?.on('data', (text: string) => {
        said += text
        const url = /^ {2}Health\s+curl (\S+)\/health$/m.exec(said)?.[1]
        if (url && said.includes('Tidemark is ready.')) resolve({ url, said })
      })
    }
    child.once('exit', (code) =>
      reject(new Error(`tidemark dev ended with ${code} before it was ready:\n${said.slice(-4_000)}`)),
    )
  })
}
