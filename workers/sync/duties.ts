import { storeStatuses } from './client-statuses.ts'
import type { Conversation } from './conversation.ts'
import type { Server } from './frame-server.ts'
import type { HeadFollower } from './head-follower.ts'
import type { Rights } from './rights.ts'
import { DUTY_ORDER, type Duty, type DutyFacts, earliest, isDue, nextAlarmMs } from './rules/schedule.ts'
import { sessionDeadlineMs } from './rules/session-state.ts'
import type { Subscription } from './subscription.ts'
import type { SyncContext } from './sync-context.ts'

/** A day: every connection bucket is full again long before. */
const BUCKET_AGE_MS = 86_400_000

/** The parts of a SyncDO that have duties besides what messages and deliveries ask of them. */
interface DutifulParts {
  readonly subscription: Subscription
  readonly follower: HeadFollower
  readonly server: Server
  readonly conversation: Conversation
  readonly rights: Rights
}

/** The work that a SyncDO does by alarm: the list of `rules/schedule.ts` says when, this says how. */
export class Duties {
  readonly #context: SyncContext
  readonly #follower: HeadFollower
  readonly #server: Server
  readonly #runs: Readonly<Record<Duty, () => void | Promise<void>>>

  constructor(context: SyncContext, { subscription, follower, server, conversation, rights }: DutifulParts) {
    const { storage, sessions, nowMs } = context
    this.#context = context
    this.#follower = follower
    this.#server = server
    this.#runs = {
      forgetRates: () => storage.dropConnectBuckets(nowMs() - BUCKET_AGE_MS),
      closeOverdue: () => this.#closeOverdue(),
      leave: () => subscription.leave(),
      forgetAudiences: () => subscription.dropUnused(new Set([...sessions].flatMap((session) => session.told))),
      greet: () => conversation.greetInterrupted(),
      ascertainRights: () => rights.ascertainAll(),
      subscribe: () => subscription.renew(),
      renewLease: () => subscription.renew(true),
      catchUp: () => follower.reach(storage.state.target),
      tellHead: () => {
        storage.update({ noticeAtMs: null })
        server.broadcast(true)
      },
      storeStatuses: () => storeStatuses(context),
      serve: () => server.broadcast(),
      endBackoff: () => {
        if (![...sessions].some((session) => session.busy)) storage.update({ failures: 0 })
      },
    }
  }

  /** Does what is due. Throws what the first failure throws; those after it wait for the retry. */
  async runDue(): Promise<void> {
    for (const duty of DUTY_ORDER) if (isDue(duty, this.#facts(true))) await this.#runs[duty]()
  }

  /** Answers when the object must wake next. Without `deadlines` those of sessions are not gone through. */
  nextAlarmMs(deadlines: boolean): number | null {
    return nextAlarmMs(this.#facts(deadlines))
  }

  /** The times of sessions are found only where a duty asks for them, because there may be many. */
  #facts(deadlines: boolean): DutyFacts {
    const { storage, sessions, intervals, nowMs } = this.#context
    const { state } = storage
    const unclosed = () => (deadlines ? sessions.unclosed() : [])
    return {
      ...state,
      nowMs: nowMs(),
      lingerMs: intervals.lingerMs,
      wanted: state.version !== state.answeredVersion,
      behind: this.#follower.behind,
      get expiryAtMs() {
        return earliest(unclosed().map((session) => session.state.expiresAtMs))
      },
      get deadlineAtMs() {
        return earliest(unclosed().map((session) => sessionDeadlineMs(session.state, intervals)))
      },
    }
  }

  #closeOverdue(): void {
    const { sessions, intervals, nowMs } = this.#context
    for (const session of sessions) {
      if (this.#server.expire(session)) continue
      const deadlineMs = sessionDeadlineMs(session.state, intervals)
      if (deadlineMs === null || nowMs() < deadlineMs) continue
      session.refuse('unavailable', 'The connection said nothing for too long; connect again.', nowMs())
    }
  }
}
