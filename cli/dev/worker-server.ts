import { createWriteStream, mkdirSync } from 'node:fs'
import { delimiter, dirname, extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { stripVTControlCharacters } from 'node:util'
import { TidemarkError } from '../../protocol/errors.ts'
import type { AppFolder } from '../app/app-folder.ts'
import { startChild } from './child-process.ts'
import type { Cleanup } from './cleanup.ts'
import type { DataFolder } from './data-folder.ts'
import type { ServerMessage } from './gated-dev-env.ts'
import { findNodeForWrangler } from './node-binary.ts'
import { runScheduled, untilUp } from './worker-health.ts'
import type { DevMessage, WranglerSettings } from './wrangler-server.ts'

export interface WorkerServer {
  readonly url: string
  /** Settles when wrangler ends, by itself or stopped. */
  readonly ended: Promise<string>
  /** Puts the Worker of a build in service, if none was built since. */
  serve(build: number): void
  /** Reports that something was saved after a failed build. */
  onSave(): void
}

export interface WorkerServerOptions {
  readonly app: AppFolder
  readonly data: DataFolder
  readonly port: number
  readonly cleanup: Cleanup
  /** Called with the leader of the server's process group. */
  readonly onPid: (pid: number) => void
  /** Gets the lines of wrangler once the Worker is up. */
  readonly onLine: (line: string) => void
  /** Called, once the Worker is up, with the result of each save; a finished build waits for `serve`. */
  readonly onMessage: (message: ServerMessage) => void
}

/** wrangler prints an error line by line, so its last lines are waited for. */
const ERROR_TAIL_MS = 500
const SHOWN_LINES = 40
/** The runtime's cron does not fire in development, and the alarm must be armed again should it ever stop. */
const CRON_MS = 60_000

/** Throws `misconfigured` for an app that has no configuration of wrangler. */
export function requireWranglerConfig(app: AppFolder): string {
  if (app.wranglerConfig !== null) return app.wranglerConfig
  throw new TidemarkError(
    'misconfigured',
    `There is no wrangler.toml in ${app.root}; tidemark init shows what it holds.`,
  )
}

/**
 * Serves the app's Worker by wrangler, and returns once its `/health` is up.
 *
 * Throws, after ending all that it started, `bad-input` for a Worker that does not build or start, and `misconfigured`
 * for one that does not come up.
 */
export async function startWorkerServer(options: WorkerServerOptions): Promise<WorkerServer> {
  const { app, data, port } = options
  const node = findNodeForWrangler(app.root)
  mkdirSync(data.logs, { recursive: true })
  const log = createWriteStream(join(data.logs, 'worker.log'))
  const early: string[] = []
  let isUp = false
  let fail: (reason: string) => void = () => {}
  const failed = new Promise<string>((resolve) => {
    fail = resolve
  })
  const send = (message: DevMessage) => child.send(message)
  const child = startChild({
    command: node,
    args: ['--no-warnings', serverModule(), JSON.stringify(wranglerSettings(app, data, port))],
    cwd: app.root,
    env: wranglerEnvironment(app, data, node),
    onLine: (coloured) => {
      const line = stripVTControlCharacters(coloured)
      log.write(`${line}\n`)
      if (isUp) return options.onLine(process.stdout.isTTY ? coloured : line)
      early.push(line)
    },
    onMessage: (received) => {
      const message = received as ServerMessage
      if (isUp) options.onMessage(message)
      else if (message.kind === 'built') send({ kind: 'serve', build: message.build })
      else if (message.kind === 'failed') fail(message.reason)
    },
  })
  options.onPid(child.pid)
  const stop = async () => {
    await child.stop()
    log.end()
  }
  const stopped = options.cleanup.add(stop)
  const url = `http://127.0.0.1:${port}`
  try {
    const ended = child.ended.then((how) => `wrangler ended (${how})`)
    const failure = await untilUp(url, data.adminToken, Promise.race([failed, ended]), options.onLine)
    if (failure !== null) {
      await new Promise((resolve) => setTimeout(resolve, ERROR_TAIL_MS))
      throw new TidemarkError(
        'bad-input',
        `The Worker does not build or start: ${failure}\n${early.slice(-SHOWN_LINES).join('\n')}\n` +
          `The whole log is in ${join(data.logs, 'worker.log')}.`,
      )
    }
  } catch (error) {
    stopped()
    await stop()
    throw error
  }
  isUp = true
  const cron = setInterval(() => void runScheduled(url), CRON_MS)
  options.cleanup.add(async () => clearInterval(cron))
  return {
    url,
    ended: child.ended,
    serve: (build) => send({ kind: 'serve', build }),
    onSave: () => send({ kind: 'saved' }),
  }
}

/** The module lies beside this one, among the sources as in the package. */
function serverModule(): string {
  const here = fileURLToPath(import.meta.url)
  return join(dirname(here), `wrangler-server${extname(here)}`)
}

function wranglerSettings(app: AppFolder, data: DataFolder, port: number): WranglerSettings {
  return {
    config: requireWranglerConfig(app),
    port,
    objects: data.objects,
    // A registry of our own, apart from other dev sessions on this machine.
    registry: join(data.objects, 'registry'),
    envFile: data.workerEnv,
  }
}

function wranglerEnvironment(app: AppFolder, data: DataFolder, node: string): Record<string, string | undefined> {
  const path = [dirname(node), join(app.root, 'node_modules', '.bin'), process.env.PATH ?? '']
  return {
    ...process.env,
    // The app's own build command runs on the same Node.
    PATH: path.join(delimiter),
    WRANGLER_SEND_METRICS: 'false',
    WRANGLER_LOG_PATH: data.logs,
    WRANGLER_REGISTRY_PATH: join(data.objects, 'registry'),
    CLOUDFLARE_CF_FETCH_ENABLED: 'false',
  }
}
