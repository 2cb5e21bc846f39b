import type { Random } from './random.ts'

/** Something that happens to the system or its replicas while the workload runs. */
export type OracleEvent =
  | { readonly kind: 'offline' | 'online' | 'stall' | 'flow' | 'reopen' | 'sample'; readonly replica: number }
  | { readonly kind: 'samplePostgres' }
  | { readonly kind: 'killWorkerd' | 'killPostgres' | 'dropSockets' | 'evict' }
  /** The history captured so far is pruned; the slot is lost; the other definition is put in force. */
  | { readonly kind: 'prune' | 'dropSlot' | 'redefine' }
  /** The replica's user joins an organisation, or leaves it where they are a member. */
  | { readonly kind: 'joinOrLeave'; readonly replica: number; readonly org: number }
  /** Commits are held back while a replica in memory is opened anew, so that its snapshots do not show them. */
  | { readonly kind: 'holdCommits'; readonly replica: number; readonly holdMs: number }
  | { readonly kind: 'delayNetwork'; readonly delayMs: number }
  | { readonly kind: 'wait'; readonly waitMs: number }

export interface EventOptions {
  readonly stages: number
  readonly replicas: number
  readonly orgs: number
  /** Replicas from this one on open in the middle of the run. */
  readonly firstLate: number
  readonly faults: boolean
}

/** Plans the events of each stage from the seed alone; each replica opens in the stage that `lateStage` says. */
export function planEvents(random: Random, options: EventOptions): OracleEvent[][] {
  const absent = new Map<number, 'online' | 'flow'>()
  const stages = Array.from({ length: options.stages }, (_, stage): OracleEvent[] => {
    const open = Array.from({ length: options.replicas }, (_, replica) => replica).filter(
      (replica) => stage > lateStage(replica, options),
    )
    const events: OracleEvent[] = [{ kind: 'samplePostgres' }]
    for (let made = 0; made < 3; made++) {
      events.push({ kind: 'wait', waitMs: 20 + random.below(300) })
      if (open.length === 0) continue
      const replica = random.pick(open)
      const kind = random.weighted({ offline: 3, stall: 1, reopen: 2, sample: 2 })
      if (kind === 'sample') events.push({ kind, replica })
      else if (kind === 'reopen') {
        const back = absent.get(replica)
        if (back === 'flow') events.push({ kind: back, replica })
        absent.delete(replica)
        events.push({ kind, replica })
      } else events.push(...away(kind, replica, absent, options))
    }
    return events
  })
  if (options.faults) addFaults(random, stages, options)
  for (let times = 0; times < 2; times++) {
    const stage = stages[1 + random.below(stages.length - 1)]
    stage?.push({ kind: 'holdCommits', replica: 0, holdMs: 300 + random.below(900) })
  }
  return stages
}

/** Sends a replica away or lets it come back; one of those open from the start stays, as the workload waits for it. */
function away(
  kind: 'offline' | 'stall',
  replica: number,
  absent: Map<number, 'online' | 'flow'>,
  { firstLate }: EventOptions,
): OracleEvent[] {
  const back = absent.get(replica)
  if (back !== undefined) {
    absent.delete(replica)
    return [{ kind: back, replica }]
  }
  const early = [...absent.keys()].filter((other) => other < firstLate).length
  if (replica < firstLate && early === firstLate - 1) return []
  absent.set(replica, kind === 'offline' ? 'online' : 'flow')
  return [{ kind, replica }]
}

/** The stage in which a replica opens: 0, or somewhere in the middle for the late ones. */
export function lateStage(replica: number, { stages, firstLate }: EventOptions): number {
  return replica < firstLate ? 0 : Math.floor(((replica - firstLate + 1) * stages) / 3)
}

/** Adds each fault at least once, wherever the seed puts it, and the costly ones no more often than that. */
function addFaults(random: Random, stages: OracleEvent[][], { replicas, orgs }: EventOptions): void {
  const putIn = (stage: OracleEvent[] = [], event: OracleEvent) =>
    stage.splice(random.below(stage.length + 1), 0, event)
  const put = (event: OracleEvent) => putIn(stages[1 + random.below(stages.length - 1)], event)
  for (let times = 0; times < 2; times++) put({ kind: 'killWorkerd' })
  for (let times = 0; times < 2; times++) put({ kind: 'evict' })
  for (let times = 0; times < 3; times++) put({ kind: 'dropSockets' })
  put({ kind: 'killPostgres' })
  const slow = 1 + random.below(stages.length - 2)
  putIn(stages[slow], { kind: 'delayNetwork', delayMs: 50 + random.below(200) })
  putIn(stages[slow + 1], { kind: 'delayNetwork', delayMs: 0 })
  for (let times = 0; times < 2; times++) put({ kind: 'prune' })
  for (let times = 0; times < 5; times++)
    put({ kind: 'joinOrLeave', replica: random.below(replicas), org: random.below(orgs) })
  // They come in different stages, because a fold of history begins anew at each.
  const [lost, there, back] = apart(random, stages.length)
  putIn(stages[lost], { kind: 'dropSlot' })
  putIn(stages[there], { kind: 'redefine' })
  putIn(stages[back], { kind: 'redefine' })
}

/** Answers three different stages, none of them the first. */
function apart(random: Random, stages: number): [number, number, number] {
  const rest = Array.from({ length: stages - 1 }, (_, index) => index + 1)
  const take = () => rest.splice(random.below(rest.length), 1)[0] ?? 1
  return [take(), take(), take()]
}
