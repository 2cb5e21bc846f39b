import { type ErrorKind, type PushAnswer, TidemarkError } from '../../protocol/index.ts'
import type { AppEnv } from '../access/access.ts'
import type { OpenPush } from './open-push.ts'
import type { PushOptions } from './options.ts'
import { receivePush } from './push.ts'
import { PushConnection } from './push-connection.ts'
import type { PushSessions } from './push-sessions.ts'

/** The number of connections that one lane uses at once, unless it is told another. */
const CONNECTIONS = 4
/** A connection that nobody has used for this long is closed, so that the database may sleep. */
const IDLE_MS = 10_000
/** A connection lives no longer than this, because of what it gathers in its caches. */
const LONGEST_MS = 60_000

/** Faults of a request, which leave the connection sound. */
const OF_CLIENTS: ReadonlySet<ErrorKind> = new Set(['bad-input', 'limit-exceeded', 'upgrade-required', 'forbidden'])

/** The lane's dependencies on the object around it. */
export interface LaneContext {
  readonly sessions: PushSessions
  /** The most sessions at once; default 4. */
  readonly connections?: number
  readonly nowMs: () => number
  /** Keeps the object alive for work that nobody awaits. */
  readonly background: (work: Promise<void>) => void
}

/** A push, and the rules by which it is decided. */
export interface LanePush {
  readonly push: PushOptions
  readonly env: AppEnv
  readonly session: OpenPush['session']
  /** JSON text. */
  readonly body: string
}

interface Idle {
  readonly connection: PushConnection
  readonly sinceMs: number
}

/**
 * Runs pushes over connections that stay open for a moment: opening one costs more than all that a small push does with
 * it.
 */
export class PushLane {
  readonly #context: LaneContext
  #used = 0
  #idle: Idle[] = []
  #timer: ReturnType<typeof setTimeout> | null = null

  constructor(context: LaneContext) {
    this.#context = context
  }

  /**
   * Decides a push; null where all connections are in use, and then nothing is done. Throws what `receivePush` throws.
   */
  async push({ push, env, session, body }: LanePush): Promise<PushAnswer | null> {
    const { sessions, nowMs, background, connections = CONNECTIONS } = this.#context
    if (this.#used === connections) return null
    this.#used += 1
    const connection = this.#idle.pop()?.connection ?? new PushConnection(sessions, nowMs)
    let isSound = false
    try {
      const answer = await receivePush(push, env, connection, session, body)
      isSound = answer.retry === null
      return answer
    } catch (error) {
      isSound = error instanceof TidemarkError && OF_CLIENTS.has(error.kind)
      throw error
    } finally {
      background(this.#release(connection, isSound))
    }
  }

  async #release(connection: PushConnection, isSound: boolean): Promise<void> {
    try {
      if (isSound && connection.ageMs < LONGEST_MS) {
        await connection.reset()
        this.#idle.push({ connection, sinceMs: this.#context.nowMs() })
        this.#timer ??= setTimeout(() => this.#closeIdle(), IDLE_MS)
      } else await connection.close()
    } catch {
      await connection.close()
    } finally {
      this.#used -= 1
    }
  }

  #closeIdle(): void {
    const { nowMs, background } = this.#context
    const longAgo = this.#idle.filter(({ sinceMs }) => nowMs() - sinceMs >= IDLE_MS)
    this.#idle = this.#idle.filter((one) => !longAgo.includes(one))
    const [first] = this.#idle
    this.#timer = first ? setTimeout(() => this.#closeIdle(), first.sinceMs + IDLE_MS - nowMs()) : null
    background(Promise.all(longAgo.map(({ connection }) => connection.close())).then(() => undefined))
  }
}
