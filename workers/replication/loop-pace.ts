import type { ReplicationStorage } from './replication-storage.ts'
import type { Router } from './router.ts'
import { nextPauseMs, type ReplicationIntervals } from './rules/interval.ts'
import { pausedFor } from './rules/pause.ts'
import { decideWatch, type WatchDecision } from './rules/watch.ts'
import type { RunOutcome } from './run-outcome.ts'
import type { WalWatch } from './wal-watch.ts'

/** The note of activity is written at most this often. */
const QUIET_NOTE_MS = 5_000

export interface PaceContext {
  readonly intervals: ReplicationIntervals
  /** True where capture is to wait inside Postgres while somebody subscribes. */
  readonly watch: boolean
  readonly storage: ReplicationStorage
  readonly router: Router
  readonly nowMs: () => number
  readonly random: () => number
}

/** Decides whether capture waits inside Postgres, and how long it pauses, by subscribers, quiet and failures. */
export class LoopPace {
  readonly #context: PaceContext
  readonly #outcome: RunOutcome
  readonly #watch: WalWatch

  constructor(context: PaceContext, outcome: RunOutcome, watch: WalWatch) {
    this.#context = context
    this.#outcome = outcome
    this.#watch = watch
  }

  /** Notes that something happened, so that the quiet begins anew. */
  noteActivity(): void {
    const { storage, nowMs } = this.#context
    if (nowMs() - (storage.quietSinceMs ?? 0) >= QUIET_NOTE_MS) storage.quietSinceMs = nowMs()
  }

  get watch(): WatchDecision {
    const { watch, intervals, storage } = this.#context
    const paused = storage.pause !== null
    return decideWatch({ ...this.#facts, wanted: watch, paused, obstacle: this.#watch.obstacle }, intervals)
  }

  /** Answers the pause before the next run: none where more is waiting and the last one succeeded. */
  pauseMs(more: boolean): number {
    const { intervals, random, storage, nowMs } = this.#context
    const { pause } = storage
    if (pause !== null && this.#outcome.failures === 0) return pausedFor(pause, nowMs())
    if (more && this.#outcome.failures === 0) return 0
    return nextPauseMs({ ...this.#facts, watching: this.watch.on, random: random() }, intervals)
  }

  get #facts() {
    const { router, storage, nowMs } = this.#context
    const quietMs = nowMs() - (storage.quietSinceMs ?? nowMs())
    return { subscribers: router.subscribers, quietMs, failures: this.#outcome.failures }
  }
}
