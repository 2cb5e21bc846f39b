import { TidemarkError } from '../../protocol/index.ts'
import { backoffDelayMs } from '../connection/backoff.ts'
import type { Copy } from '../store/copies.ts'
import { countFailure, isGivenUp, NO_FAILED_LOADS } from './rules/pace-loads.ts'
import type { FailedMigration, MigrationsStatus } from './status.ts'

/** The most versions that the status names. */
const NAMED_VERSIONS = 100

/** Follows how the tables go from version to version of the schema, for the status and for pauses between tries. */
export class FollowedMigrations {
  readonly #onChanged: (status: MigrationsStatus) => void
  #status: MigrationsStatus
  #epoch: string | null = null
  /** The version that the tables were last wholly of. */
  #whole: number | null = null
  #loads = NO_FAILED_LOADS
  #endPause: (() => void) | null = null

  constructor(before: MigrationsStatus, onChanged: (status: MigrationsStatus) => void) {
    this.#status = before
    this.#onChanged = onChanged
  }

  /** The reason why a version is not tried again until the app asks for it; null where it is. */
  get givenUp(): TidemarkError | null {
    const { failed } = this.#status
    if (failed === null || !isGivenUp(this.#loads)) return null
    const message = `Version ${failed.version} of the schema cannot be loaded here; migrations.retry() tries again: ${failed.error}`
    return new TidemarkError('unavailable', message)
  }

  /** Answers the status by the copy that is shown; a fault of steps stands until a later version. */
  follow(live: Copy | null): MigrationsStatus {
    const before = this.#status
    const version = live?.stage === 'joined' ? live.definition.version : null
    const waiting = version === null ? [] : [...(live?.behind ?? [])]
    if (live?.epoch !== this.#epoch) this.#whole = null
    this.#epoch = live?.epoch ?? null
    if (version === before.version && waiting.join() === before.waiting.join() && this.#whole !== null) return before
    const isWhole = version !== null && waiting.length === 0
    const pending = before.pending.filter((one) => !isWhole || one > version)
    const applied = isWhole && this.#whole !== null ? this.#appliedUpTo(version) : before.applied
    if (isWhole) this.#whole = version
    const isOver = isWhole && before.failed !== null && before.failed.version <= version
    if (isOver) this.#loads = NO_FAILED_LOADS
    this.#status = {
      version,
      pending,
      applied: this.#whole === null ? [] : applied,
      waiting,
      fault: version === before.version ? before.fault : null,
      failed: isOver ? null : before.failed,
    }
    return this.#status
  }

  #appliedUpTo(version: number): readonly number[] {
    const { applied, pending } = this.#status
    const came = [...pending.filter((one) => one < version), version].filter((one) => one > (this.#whole ?? version))
    return [...applied, ...came].slice(-NAMED_VERSIONS)
  }

  /** Notes which versions are in force on the server and not here. */
  notePending(versions: readonly number[]): void {
    const { version, waiting } = this.#status
    const pending = [...new Set(versions)].filter(
      (one) => version === null || one > version || (one === version && waiting.length > 0),
    )
    if (pending.join() !== this.#status.pending.join()) this.#change({ pending: pending.slice(0, NAMED_VERSIONS) })
  }

  /** Notes that steps failed, so that tables are loaded instead. */
  noteFault(version: number, message: string): void {
    this.#change({ fault: message, failed: this.#failedAgain(version, message) })
  }

  /** Notes that what a version needs could not be loaded. */
  noteFailure(version: number, { kind, message }: TidemarkError): void {
    if (this.#status.failed?.version !== version) this.#loads = NO_FAILED_LOADS
    this.#loads = countFailure(this.#loads, kind)
    this.#change({ failed: this.#failedAgain(version, message) })
  }

  #failedAgain(version: number, error: string): FailedMigration {
    const { failed } = this.#status
    return { version, error, retries: failed?.version === version ? failed.retries + 1 : 0 }
  }

  #change(change: Partial<MigrationsStatus>): void {
    this.#status = { ...this.#status, ...change }
    this.#onChanged(this.#status)
  }

  /** Forgets what failed, so that the next try comes at once; a pause in hand ends. Answers whether there was one. */
  forgetFailures(): boolean {
    this.#loads = NO_FAILED_LOADS
    const endPause = this.#endPause
    endPause?.()
    return endPause !== null
  }

  /** Resolves when the next try is due, or the signal ends the wait for it; the pauses grow with failures in a row. */
  async pause(signal: AbortSignal): Promise<void> {
    const { count } = this.#loads
    if (count === 0 || signal.aborted) return
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, backoffDelayMs(count, Math.random()))
      this.#endPause = () => {
        clearTimeout(timer)
        resolve()
      }
      signal.addEventListener('abort', this.#endPause, { once: true })
    })
    this.#endPause = null
  }
}
