import { loadSeldomParts } from './load-seldom-parts.ts'
import type { CheckHost, CheckReport } from './self-check.ts'

/** The comparison with the server that is going on: who asks meanwhile gets its answer. */
export class CheckInHand {
  #running: Promise<CheckReport> | null = null

  /** Compares, and gives `onCompared` the report before it answers it. Rejects with TidemarkError. */
  run(host: CheckHost, signal: AbortSignal, onCompared: (report: CheckReport) => Promise<void>): Promise<CheckReport> {
    this.#running ??= compare(host, signal, onCompared).finally(() => {
      this.#running = null
    })
    return this.#running
  }
}

async function compare(host: CheckHost, signal: AbortSignal, onCompared: (report: CheckReport) => Promise<void>) {
  const { compareWithServer } = await loadSeldomParts()
  const report = await compareWithServer(host, signal)
  await onCompared(report)
  return report
}
