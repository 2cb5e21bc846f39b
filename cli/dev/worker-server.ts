import { createWriteStream, mkdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { delimiter, dirname, join } from 'node:path'
import { stripVTControlCharacters } from 'node:util'
import { TidemarkError } from '../../protocol/errors.ts'
import type { AppFolder } from '../app/app-folder.ts'
import { packageRoot } from '../package-root.ts'
import { startChild } from './child-process.ts'
import type { Cleanup } from './cleanup.ts'
import type { DataFolder } from './data-folder.ts'
import { findNodeForWrangler } from './node-binary.ts'

export interface WorkerServer {
  readonly url: string
  /** Settles when wrangler ends, by itself or stopped. */
  readonly ended: Promise<string>
}

export interface WorkerServerOptions {
  readonly app: AppFolder
  readonly data: DataFolder
  readonly port: number
  readonly cleanup: Cleanup
  /** Told the leader of the server's process group. */
  readonly onPid: (pid: number) => void
  /** Gets the lines of wrangler once the Worker is up. */
  readonly onLine: (line: string) => void
}

const START_TIMEOUT_MS = 180_000
const REQUEST_TIMEOUT_MS = 10_000
const POLL_MS = 250
/** wrangler prints a build error line by line. */
const ERROR_TAIL_MS = 500
const SHOWN_LINES = 40
/** The runtime's cron does not fire in development, and the alarm must be armed again should it ever stop. */
const CRON_MS = 60_000

/** Serves the app's Worker by `wrangler dev`, and returns once its `/health` is up. Throws `misconfigured`. */
export async function startWorkerServer(options: WorkerServerOptions): Promise<WorkerServer> {
  const { app, data, port } = options
  if (app.wranglerConfig === null) {
    throw new TidemarkError(
      'misconfigured',
      `There is no wrangler.toml in ${app.root}; tidemark init shows what it holds.`,
    )
  }
  const node = findNodeForWrangler(app.root)
  const wrangler = createRequire(join(packageRoot(), 'package.json')).resolve('wrangler')
  mkdirSync(data.logs, { recursive: true })
  const log = createWriteStream(join(data.logs, 'worker.log'))
  const early: string[] = []
  let isUp = false
  let sawError: (() => void) | null = null
  const buildFailed = new Promise<void>((resolve) => {
    sawError = resolve
  })
  const child = startChild({
    command: node,
    args: ['--no-warnings', wrangler, ...wranglerArguments(app.wranglerConfig, data, port)],
    cwd: app.root,
    env: wranglerEnvironment(app, data, node),
    onLine: (coloured) => {
      const line = stripVTControlCharacters(coloured)
      log.write(`${line}\n`)
      if (isUp) return options.onLine(process.stdout.isTTY ? coloured : line)
      early.push(line)
      if (line.includes('[ERROR]')) sawError?.()
    },
  })
  options.onPid(child.pid)
  options.cleanup.add(async () => {
    await child.stop()
    log.end()
  })
  const url = `http://127.0.0.1:${port}`
  await untilUp(url, child.ended, buildFailed, early, data)
  isUp = true
  const cron = setInterval(() => void runScheduled(url), CRON_MS)
  options.cleanup.add(async () => clearInterval(cron))
  return { url, ended: child.ended }
}

function wranglerArguments(config: string, data: DataFolder, port: number): string[] {
  const fixed = ['dev', '--config', config, '--ip', '127.0.0.1', '--port', String(port), '--inspector-port', '0']
  return [
    ...fixed,
    '--persist-to',
    data.objects,
    '--env-file',
    data.workerEnv,
    '--show-interactive-dev-session',
    'false',
  ]
}

function wranglerEnvironment(app: AppFolder, data: DataFolder, node: string): Record<string, string | undefined> {
  const path = [dirname(node), join(app.root, 'node_modules', '.bin'), process.env.PATH ?? '']
  return {
    ...process.env,
    // The app's own build command runs on the same Node.
    PATH: path.join(delimiter),
    WRANGLER_SEND_METRICS: 'false',
    WRANGLER_LOG_PATH: data.logs,
    // Other dev sessions on this machine are none of our business.
    WRANGLER_REGISTRY_PATH: join(data.objects, 'registry'),
    CLOUDFLARE_CF_FETCH_ENABLED: 'false',
  }
}

async function untilUp(
  url: string,
  ended: Promise<string>,
  buildFailed: Promise<void>,
  early: readonly string[],
  data: DataFolder,
): Promise<void> {
  let failure: string | null = null
  // wrangler holds requests back until it has something to serve, so a failure must end them.
  const giveUp = new AbortController()
  const fail = (reason: string) => {
    failure ??= reason
    giveUp.abort()
  }
  ended.then((how) => fail(`wrangler ended (${how})`))
  buildFailed.then(() => pause(ERROR_TAIL_MS)).then(() => fail('The Worker does not build or start'))
  const deadline = Date.now() + START_TIMEOUT_MS
  let armed = false
  let lastAnswer = 'no answer'
  while (failure === null && Date.now() < deadline) {
    armed = armed || (await runScheduled(url, giveUp.signal))
    const health = await request(`${url}/health`, giveUp.signal)
    if (health?.ok && (await captureRuns(url, data, giveUp.signal))) return
    if (health !== null) lastAnswer = `${health.status} ${(await health.text()).slice(0, 200)}`
    await pause(POLL_MS)
  }
  const detail = failure === null ? await replicationHealth(url, data) : early.slice(-SHOWN_LINES).join('\n')
  throw new TidemarkError(
    'misconfigured',
    `${failure ?? `GET /health did not come up within ${START_TIMEOUT_MS / 1000} s (${lastAnswer})`}:\n${detail}\n` +
      `The whole log is in ${join(data.logs, 'worker.log')}.`,
  )
}

/** False while the first cycle has not ended well; the answer of an app that mounts no such route is no matter. */
async function captureRuns(url: string, data: DataFolder, signal: AbortSignal): Promise<boolean> {
  const answer = await request(`${url}/health/replication`, signal, { authorization: `Bearer ${data.adminToken}` })
  if (answer === null || !answer.headers.get('content-type')?.includes('json')) return answer !== null
  const body: unknown = await answer.json().catch(() => null)
  if (typeof body !== 'object' || body === null || !('status' in body && 'lastCycleAt' in body)) return true
  return body.status !== 'fail' && body.lastCycleAt !== null
}

async function replicationHealth(url: string, data: DataFolder): Promise<string> {
  const answer = await request(`${url}/health/replication`, null, { authorization: `Bearer ${data.adminToken}` })
  return answer === null ? '' : await answer.text()
}

/** Runs the Worker's cron handler, which arms the alarm of replication; false where nothing answers yet. */
async function runScheduled(url: string, signal: AbortSignal | null = null): Promise<boolean> {
  const answer = await request(`${url}/cdn-cgi/local/scheduled`, signal)
  await answer?.body?.cancel()
  return answer?.ok === true
}

async function request(
  url: string,
  signal: AbortSignal | null,
  headers: Record<string, string> = {},
): Promise<Response | null> {
  const timeout = AbortSignal.timeout(REQUEST_TIMEOUT_MS)
  try {
    return await fetch(url, { headers, signal: signal === null ? timeout : AbortSignal.any([timeout, signal]) })
  } catch {
    return null
  }
}

function pause(delayMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, delayMs))
}
