import type { Random } from './random.ts'

/** What happens to the system and its replicas while the workload runs. */
export type OracleEvent =
  | { readonly kind: 'offline' | 'online' | 'reopen' | 'sample'; readonly replica: number }
  | { readonly kind: 'samplePostgres' }
  | { readonly kind: 'killWorkerd' | 'killPostgres' | 'dropSockets' | 'evict' }
  /** Commits are held back while a replica in memory is opened anew, so that its snapshots do not show them. */
  | { readonly kind: 'holdCommits'; readonly replica: number; readonly holdMs: number }
  | { readonly kind: 'delayNetwork'; readonly delayMs: number }
  | { readonly kind: 'wait'; readonly waitMs: number }

export interface EventOptions {
  readonly stages: number
  readonly replicas: number
  /** Replicas from this one on open in the middle of the run. */
  readonly firstLate: number
  readonly faults: boolean
}

/** Stage by stage, planned from the seed alone; each replica opens in the stage that `lateStage` says. */
export function planEvents(random: Random, options: EventOptions): OracleEvent[][] {
  const offline = new Set<number>()
  const stages = Array.from({ length: options.stages }, (_, stage): OracleEvent[] => {
    const open = Array.from({ length: options.replicas }, (_, replica) => replica).filter(
      (replica) => stage > lateStage(replica, options),
    )
    const events: OracleEvent[] = [{ kind: 'samplePostgres' }]
    for (let made = 0; made < 3; made++) {
      events.push({ kind: 'wait', waitMs: 20 + random.below(300) })
      if (open.length === 0) continue
      const replica = random.pick(open)
      const kind = random.weighted({ offline: 3, reopen: 2, sample: 2 })
      if (kind === 'offline' && offline.delete(replica)) events.push({ kind: 'online', replica })
      else if (kind === 'offline') {
        offline.add(replica)
        events.push({ kind, replica })
      } else events.push({ kind, replica })
    }
    return events
  })
  if (options.faults) addFaults(random, stages)
  for (let times = 0; times < 2; times++) {
    const stage = stages[1 + random.below(stages.length - 1)]
    stage?.push({ kind: 'holdCommits', replica: 0, holdMs: 300 + random.below(900) })
  }
  return stages
}

/** The stage in which a replica opens: 0, or somewhere in the middle for the late ones. */
export function lateStage(replica: number, { stages, firstLate }: EventOptions): number {
  return replica < firstLate ? 0 : Math.floor(((replica - firstLate + 1) * stages) / 3)
}

/** Each fault at least once, wherever the seed puts it; the dear ones not more. */
function addFaults(random: Random, stages: OracleEvent[][]): void {
  const put = (event: OracleEvent) => {
    const stage = stages[1 + random.below(stages.length - 1)] ?? []
    stage.splice(random.below(stage.length + 1), 0, event)
  }
  for (let times = 0; times < 2; times++) put({ kind: 'killWorkerd' })
  for (let times = 0; times < 2; times++) put({ kind: 'evict' })
  for (let times = 0; times < 3; times++) put({ kind: 'dropSockets' })
  put({ kind: 'killPostgres' })
  put({ kind: 'delayNetwork', delayMs: 50 + random.below(200) })
  put({ kind: 'delayNetwork', delayMs: 0 })
}
