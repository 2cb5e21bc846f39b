import { TidemarkError } from '../../protocol/index.ts'
import { databaseMessageOf } from '../database/index.ts'
import type { ReplicationStorage } from './replication-storage.ts'
import type { HealthFigures } from './rules/health-figures.ts'

/** Keeps how the last run of cycles ended, for health, also beyond the life of the object. */
export class RunOutcome {
  readonly #storage: ReplicationStorage
  #failures: number
  #lastError: TidemarkError | null
  #lastCycleAtMs: number | null
  #epochStarted: HealthFigures['epochStarted']

  constructor(storage: ReplicationStorage) {
    const { lastError = null, lastCycleAtMs = null, epochStarted = null } = storage.outcome ?? {}
    this.#storage = storage
    this.#failures = lastError?.count ?? 0
    this.#lastError = lastError && new TidemarkError(lastError.kind, lastError.message)
    this.#lastCycleAtMs = lastError && lastCycleAtMs
    this.#epochStarted = epochStarted
  }

  /** The number of runs in a row that failed. */
  get failures(): number {
    return this.#failures
  }

  get lastCycleAtMs(): number | null {
    return this.#lastCycleAtMs
  }

  get epochStarted(): HealthFigures['epochStarted'] {
    return this.#epochStarted
  }

  /** The error that ended the last run, as health shows it; null where it ended well. */
  get failure(): HealthFigures['lastError'] {
    const error = this.#lastError
    return error && { kind: error.kind, message: operatorText(error), count: this.#failures }
  }

  noteCycle(atMs: number): void {
    this.#lastCycleAtMs = atMs
  }

  /** Notes why the history began that is being captured, the first time that this is seen. */
  noteEpochStarted(reason: string, atMs: number): void {
    if (this.#epochStarted?.reason !== reason) this.#epochStarted = { reason, atMs }
  }

  succeed(): void {
    this.#failures = 0
    this.#lastError = null
    this.#keep()
  }

  fail(error: TidemarkError): void {
    this.#failures += 1
    this.#lastError = error
    this.#keep()
  }

  /** Writes only a change: a run that ends well, as the one before did, writes nothing. */
  #keep(): void {
    const kept = this.#storage.outcome
    const lastError = this.failure
    const epochStarted = this.#epochStarted
    const same = lastError === null && !kept?.lastError && kept?.epochStarted?.atMs === epochStarted?.atMs
    if (!same) this.#storage.outcome = { lastError, lastCycleAtMs: this.#lastCycleAtMs, epochStarted }
  }
}

/** Operators also see what Postgres said. */
function operatorText(error: TidemarkError): string {
  const said = databaseMessageOf(error)
  return said === null || said === '' ? error.message : `${error.message} Postgres: ${said}`
}
