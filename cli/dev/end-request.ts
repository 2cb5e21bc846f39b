const PARENT_POLL_MS = 1_000

/**
 * Settles when the run is to end: on Ctrl-C, SIGTERM or SIGHUP, or when the npm that started it is gone.
 *
 * npm passes no signal on when it is ended itself. Started by a shell, a run outlives it, as any other program does.
 */
export function endRequest(): Promise<null> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => resolve(null))
    if (process.env.npm_command === undefined) return
    const parent = process.ppid
    setInterval(() => {
      if (process.ppid !== parent) resolve(null)
    }, PARENT_POLL_MS).unref()
  })
}
