import { type ChildProcess, spawn } from 'node:child_process'

export interface ChildOptions {
  readonly command: string
  readonly args: readonly string[]
  readonly cwd: string
  readonly env: Readonly<Record<string, string | undefined>>
  /** Called with each whole line of its output. */
  readonly onLine: (line: string) => void
  /** Called with each message the process sends; it has a channel only where this is given. */
  readonly onMessage?: (message: unknown) => void
  readonly escalation?: readonly Escalation[]
}

/** One request to end, and the time it is given before the next, firmer one. */
export interface Escalation {
  readonly signal: NodeJS.Signals
  readonly waitMs: number
}

export interface Child {
  readonly pid: number
  /** Settles when the process has ended, whatever the reason. */
  readonly ended: Promise<string>
  /** Sends to a process that has a channel; the message is lost on one that has ended. */
  send(message: object): void
  /** Asks the process and all it started to end, then insists. */
  stop(): Promise<void>
}

/** Even a killed process still has to be reaped. */
const KILL_WAIT_MS = 5_000
const ESCALATION: readonly Escalation[] = [
  { signal: 'SIGINT', waitMs: 4_000 },
  { signal: 'SIGTERM', waitMs: 3_000 },
  { signal: 'SIGKILL', waitMs: KILL_WAIT_MS },
]
const POLL_MS = 50

/** Starts a process as the leader of a group of its own, so that Ctrl-C reaches it only through us. */
export function startChild(options: ChildOptions): Child {
  const child = spawn(options.command, [...options.args], {
    cwd: options.cwd,
    env: { ...options.env },
    stdio: ['ignore', 'pipe', 'pipe', ...(options.onMessage ? (['ipc'] as const) : [])],
    detached: process.platform !== 'win32',
  })
  for (const stream of [child.stdout, child.stderr]) if (stream) eachLine(stream, options.onLine)
  if (options.onMessage) child.on('message', options.onMessage)
  const ended = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(error.message))
    child.once('exit', (code, signal) => resolve(signal === null ? `exit code ${code}` : signal))
  })
  return {
    pid: child.pid ?? 0,
    ended,
    send: (message) => {
      if (child.connected) child.send(message, () => {})
    },
    stop: () => stopGroup(child, options.escalation ?? ESCALATION),
  }
}

async function stopGroup(child: ChildProcess, escalation: readonly Escalation[]): Promise<void> {
  if (child.pid !== undefined) await endGroup(child.pid, escalation)
}

/** Ends a process group that nobody watches over any more. */
export async function killGroup(leader: number): Promise<void> {
  await endGroup(leader, [{ signal: 'SIGKILL', waitMs: KILL_WAIT_MS }])
}

async function endGroup(leader: number, escalation: readonly Escalation[]): Promise<void> {
  for (const { signal, waitMs } of escalation) {
    if (!signalGroup(leader, signal)) return
    const deadline = Date.now() + waitMs
    while (Date.now() < deadline) {
      if (!groupLives(leader)) return
      await new Promise((resolve) => setTimeout(resolve, POLL_MS))
    }
  }
}

/** Returns false when nothing of the group is left. */
function signalGroup(leader: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(process.platform === 'win32' ? leader : -leader, signal)
    return true
  } catch {
    return false
  }
}

export function groupLives(leader: number): boolean {
  return signalGroup(leader, 0)
}

function eachLine(stream: NodeJS.ReadableStream, onLine: (line: string) => void): void {
  let rest = ''
  stream.setEncoding('utf8')
  stream.on('data', (chunk: string) => {
    const lines = (rest + chunk).split(/\r?\n/)
    rest = lines.pop() ?? ''
    for (const line of lines) onLine(line)
  })
  stream.on('end', () => {
    if (rest !== '') onLine(rest)
  })
}
