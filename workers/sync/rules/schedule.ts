/** The facts that the duties of a SyncDO depend on. */
export interface DutyFacts {
  readonly nowMs: number
  /** No sockets since then; null while there are some. */
  readonly emptySinceMs: number | null
  readonly subscribed: boolean
  /** The subscription wanted is another than the one that was answered last. */
  readonly wanted: boolean
  readonly leaseUntilMs: number
  readonly leaseMs: number
  /** The log is behind what was heard of. */
  readonly behind: boolean
  /** Something failed and is to be tried again then. */
  readonly retryAtMs: number | null
  /** Idle sessions are to be told the head then. */
  readonly noticeAtMs: number | null
  /** Statuses of clients are to be stored then. */
  readonly statusesAtMs: number | null
  /** The first expiry of a token. */
  readonly expiryAtMs: number | null
  /** The first socket that must have said hello by then, or have acknowledged. */
  readonly deadlineAtMs: number | null
  readonly lingerMs: number
}

/**
 * The time at which a duty is due, for which the object wakes; `awake`: whenever it is awake, for whatever; null: there is
 * nothing to do.
 */
type Due = number | 'awake' | null

interface DutyRule {
  readonly due: (facts: DutyFacts) => Due
  /** True where, after a failure, the object wakes for it no sooner than for the retry. */
  readonly putOff: boolean
}

/** Without sockets there is nobody to keep anything for. */
const whileInUse =
  (due: (facts: DutyFacts) => Due): DutyRule['due'] =>
  (facts) =>
    facts.emptySinceMs === null ? due(facts) : null

/** The duties of a SyncDO in the order in which they run: each sees what those before it have done. */
const DUTIES = {
  forgetRates: { putOff: false, due: () => 'awake' },
  closeOverdue: { putOff: false, due: whileInUse((facts) => earliest([facts.expiryAtMs, facts.deadlineAtMs])) },
  leave: {
    putOff: false,
    due: ({ emptySinceMs, subscribed, lingerMs }) =>
      emptySinceMs !== null && subscribed ? emptySinceMs + lingerMs : null,
  },
  forgetAudiences: { putOff: false, due: whileInUse(() => 'awake') },
  greet: { putOff: true, due: whileInUse(() => 'awake') },
  ascertainRights: { putOff: true, due: whileInUse(() => 'awake') },
  subscribe: { putOff: true, due: whileInUse(({ subscribed, wanted }) => (subscribed && wanted ? 'awake' : null)) },
  renewLease: {
    putOff: true,
    due: whileInUse((facts) => (facts.subscribed ? renewalDueMs(facts.leaseUntilMs, facts.leaseMs) : null)),
  },
  catchUp: { putOff: true, due: whileInUse(({ behind }) => (behind ? 'awake' : null)) },
  tellHead: { putOff: true, due: whileInUse(({ noticeAtMs }) => noticeAtMs) },
  storeStatuses: { putOff: true, due: ({ statusesAtMs }) => statusesAtMs },
  serve: { putOff: true, due: whileInUse(() => 'awake') },
  endBackoff: { putOff: false, due: whileInUse(() => 'awake') },
} as const satisfies Readonly<Record<string, DutyRule>>

export type Duty = keyof typeof DUTIES

/** All duties in the order in which they run. */
export const DUTY_ORDER = Object.keys(DUTIES) as readonly Duty[]

/** Answers whether a duty is to be done at this waking, which is a retry of what failed, for whatever it came. */
export function isDue(duty: Duty, facts: DutyFacts): boolean {
  const due = DUTIES[duty].due(facts)
  return due === 'awake' || (due !== null && facts.nowMs >= due)
}

/** Answers when the object must wake next; null when it may sleep until a message comes. Rule DIS-R10. */
export function nextAlarmMs(facts: DutyFacts): number | null {
  return earliest(DUTY_ORDER.map((duty) => wakeMs(DUTIES[duty], facts)))
}

function wakeMs({ due, putOff }: DutyRule, facts: DutyFacts): number | null {
  const at = due(facts)
  const retryAtMs = putOff ? facts.retryAtMs : null
  if (at === 'awake') return retryAtMs
  return at === null ? null : Math.max(at, retryAtMs ?? at)
}

/** Answers the first of these times; null where there is none. */
export function earliest(times: Iterable<number | null>): number | null {
  let first: number | null = null
  for (const atMs of times) if (atMs !== null && (first === null || atMs < first)) first = atMs
  return first
}

/** Answers when a lease is renewed: with a third of it to spare, so that a failed renewal can be tried again. */
export function renewalDueMs(leaseUntilMs: number, leaseMs: number): number {
  return leaseUntilMs - Math.floor(leaseMs / 3)
}
