import { startChild } from '../../cli/dev/child-process.ts'

/** A command that keeps running while a test goes on. */
export interface BackgroundCommand {
  readonly pid: number
  /** Everything it printed so far. */
  readonly output: () => string
  /** Settles with what it printed by then; rejects when it ends without having printed it. */
  until(pattern: RegExp): Promise<string>
  /** Settles with how it ended. */
  readonly ended: Promise<string>
  /** Sends a signal to the command alone, as `kill` does. */
  signal(name: NodeJS.Signals): void
  /** What Ctrl-C in its terminal does: a signal to all of its process group. */
  interrupt(): void
  /** Ends it and whatever it started. */
  stop(): Promise<void>
}

export function startCommand(
  command: string,
  args: readonly string[],
  options: { cwd: string; env: Readonly<Record<string, string | undefined>> },
): BackgroundCommand {
  let text = ''
  const waiting = new Set<() => void>()
  const child = startChild({
    command,
    args,
    ...options,
    // What it started itself has to end first.
    escalation: [
      { signal: 'SIGINT', waitMs: 40_000 },
      { signal: 'SIGKILL', waitMs: 5_000 },
    ],
    onLine: (line) => {
      text += `${line}\n`
      for (const check of waiting) check()
    },
  })
  return {
    pid: child.pid,
    output: () => text,
    until: (pattern) =>
      new Promise((resolve, reject) => {
        const check = () => {
          if (!pattern.test(text)) return
          waiting.delete(check)
          resolve(text)
        }
        waiting.add(check)
        child.ended.then((how) =>
          reject(new Error(`${command} ${args.join(' ')} ended (${how}) before ${pattern}:\n${text}`)),
        )
        check()
      }),
    ended: child.ended,
    signal: (name) => process.kill(child.pid, name),
    interrupt: () => process.kill(-child.pid, 'SIGINT'),
    stop: () => child.stop(),
  }
}
