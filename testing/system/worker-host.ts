import { execFileSync } from 'node:child_process'
import { convertV4MiniflareOptions, Log, LogLevel, Miniflare, type MiniflareOptions } from 'miniflare'

export interface WorkerHostOptions {
  /** One bundled ES module that exports the worker and its Durable Object classes. */
  script: string
  /** Text bindings: variables and secrets alike. */
  vars: Record<string, string>
  /** The folder in which Durable Objects keep their storage. */
  statePath: string
  /** Every line the worker logs. */
  onLog?: (line: { level: string; message: string }) => void
}

/** The runtime in a process of its own, which can be killed and comes back with the same port and state. */
export interface WorkerHost {
  readonly port: number
  /** Kills the runtime as a crash or a lost machine does; resolves when its successor answers. */
  kill(): Promise<void>
  /** Runs another script or other variables on the same port and state, as a deploy does. */
  deploy(change: Partial<Pick<WorkerHostOptions, 'script' | 'vars'>>): Promise<void>
  /** Drops one object from memory, keeping its sockets or closing them. */
  evict(className: string, name: string, webSockets?: 'close' | 'hibernate'): Promise<void>
  /** Runs the worker's scheduled handler. */
  cron(): Promise<void>
  dispose(): Promise<void>
}

const WORKER_NAME = 'tidemark-test'
/**
 * Unless an argument holds a Blob, Miniflare's calls block this thread, and with it the gate and the proxy that a busy
 * object waits for.
 */
const ASYNCHRONOUS = { asynchronous: new Blob() }

export async function startWorkerHost(options: WorkerHostOptions): Promise<WorkerHost> {
  let current = options
  let restarted: () => void = () => {}
  const runtimeOptions = (port: number): MiniflareOptions =>
    convertV4MiniflareOptions({
      name: WORKER_NAME,
      host: '127.0.0.1',
      port,
      log: new Log(LogLevel.ERROR),
      modules: true,
      script: current.script,
      compatibilityDate: '2026-09-18',
      compatibilityFlags: ['nodejs_compat'],
      bindings: current.vars,
      durableObjects: {
        REPLICATION: { className: 'ReplicationDO', useSQLite: true },
        SYNC: { className: 'SyncDO', useSQLite: true },
        SNAPSHOT: { className: 'SnapshotDO', useSQLite: true },
      },
      durableObjectsPersist: current.statePath,
      handleStructuredLogs: (line) => options.onLog?.(line),
      unsafeTriggerHandlers: true,
      unsafeHandleRuntimeRestart: () => restarted(),
    })
  const before = workerdChildren()
  const miniflare = new Miniflare(runtimeOptions(0))
  const port = Number((await miniflare.ready).port)
  let pid = ownWorkerd(before)

  return {
    port,
    async kill() {
      const others = workerdChildren()
      const back = new Promise<void>((resolve) => {
        restarted = resolve
      })
      process.kill(pid, 'SIGKILL')
      await back
      pid = ownWorkerd(others)
    },
    async deploy(change) {
      const others = workerdChildren()
      current = { ...current, ...change }
      await miniflare.setOptions(runtimeOptions(port))
      pid = ownWorkerd(others)
    },
    async evict(className, name, webSockets = 'hibernate') {
      await miniflare.unsafeEvictDurableObject(WORKER_NAME, className, { name, webSockets, ...ASYNCHRONOUS })
    },
    async cron() {
      const answer = await fetch(`http://127.0.0.1:${port}/cdn-cgi/local/scheduled`)
      if (!answer.ok) throw new Error(`The scheduled handler answered ${answer.status}.`)
    },
    async dispose() {
      await miniflare.dispose()
    },
  }
}

/** Process ids of the runtimes that this process has started. */
function workerdChildren(): number[] {
  const listing = execFileSync('ps', ['-o', 'pid=,ppid=,comm=', '-A'], { encoding: 'utf8' })
  return listing
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(([, parent, command]) => Number(parent) === process.pid && command === 'workerd')
    .map(([child]) => Number(child))
}

function ownWorkerd(before: readonly number[]): number {
  const fresh = workerdChildren().filter((candidate) => !before.includes(candidate))
  const [pid] = fresh
  if (pid === undefined || fresh.length !== 1)
    throw new Error(`Expected one new workerd process, found ${fresh.length}.`)
  return pid
}
