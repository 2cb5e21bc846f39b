import type { HealthCheck, ReplicationHealth } from '../contracts.ts'
import type { CapturePause } from '../operations-contract.ts'
import type { Capture } from './capture.ts'
import type { CaptureState } from './capture-state.ts'
import type { CaptureTally } from './capture-tally.ts'
import type { Router } from './router.ts'
import { classifyHealth } from './rules/classify-health.ts'
import type { WatchDecision } from './rules/watch.ts'
import type { RunOutcome } from './run-outcome.ts'
import type { Upkeep } from './upkeep.ts'

/** The parts of capture that know something of its health. */
export interface JudgedParts {
  readonly context: { readonly router: Router; readonly tally: CaptureTally; readonly nowMs: () => number }
  readonly capture: Pick<Capture, 'slotPresent' | 'leftOut'>
  readonly outcome: RunOutcome
  readonly upkeep: Upkeep
  readonly watch: WatchDecision
  /** The last state known. */
  readonly state: CaptureState | null
  readonly nextCycleAtMs: number | null
  readonly busySinceMs: number | null
  readonly pause: CapturePause | null
  readonly others: readonly HealthCheck[]
}

/** Gathers what is known in memory, and judges it. */
export function judgeCapture(parts: JudgedParts): ReplicationHealth {
  const { context, capture, outcome, upkeep, state } = parts
  const { router, tally, nowMs } = context
  return classifyHealth(
    {
      epoch: state?.epoch.id ?? null,
      head: state?.capturedTo ?? null,
      decoder: state?.epoch.decoder ?? null,
      decoderReason: state?.decoderReason ?? null,
      lastCycleAtMs: outcome.lastCycleAtMs,
      nextCycleAtMs: parts.nextCycleAtMs,
      lastError: outcome.failure,
      slotPresent: capture.slotPresent,
      server: upkeep.figures?.server ?? null,
      bundleHash: upkeep.figures?.bundleHash ?? null,
      epochStarted: outcome.epochStarted,
      leftOut: capture.leftOut,
      strays: upkeep.strays,
      subscribers: router.subscribers,
      subscribersBehind: router.behind,
      longestBehind: router.longestBehind,
      unsent: router.unsent,
      watch: parts.watch,
      pause: parts.pause,
      busySinceMs: parts.busySinceMs,
      clients: upkeep.clients,
      counts: tally.counts,
      minutes: tally.minutes,
      others: parts.others,
    },
    nowMs(),
  )
}
