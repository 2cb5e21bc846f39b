import { startChild } from '../../cli/dev/child-process.ts'

/** A command that keeps running while a test goes on. */
export interface BackgroundCommand {
  readonly pid: number
  /** Everything it printed so far. */
  readonly output: () => string
  /** Settles with its whole output once that matches; rejects when the command ends before. */
  until(pattern: RegExp): Promise<string>
  /** Settles with a text on how it ended. */
  readonly ended: Promise<string>
  /** Sends a signal to the command alone, as `kill` does. */
  signal(name: NodeJS.Signals): void
  /** Interrupts all of its process group, as Ctrl-C in its terminal does. */
  interrupt(): void
  /** Ends it and everything that it started. */
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
    // The processes that it started itself have to end first.
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
