import { type ErrorKind, type PushAnswer, TidemarkError } from '../../protocol/index.ts'
import type { PushCall } from '../contracts.ts'
import type { SyncEnv } from '../env.ts'
import type { PushOptions } from './options.ts'
import { receivePush } from './push.ts'
import { PushConnection } from './push-connection.ts'

/** Connections that one lane uses at once. */
const CONNECTIONS = 4
/** What nobody has used for so long is closed, so that the database may sleep. */
const IDLE_MS = 10_000
/** A connection lives no longer, whatever it has gathered in its caches. */
const LONGEST_MS = 60_000

/** Faults of a request, which say nothing of the connection. */
const OF_CLIENTS: ReadonlySet<ErrorKind> = new Set(['bad-input', 'limit-exceeded', 'upgrade-required', 'forbidden'])

/** What a lane needs of the object around it. */
export interface LaneContext {
  readonly env: SyncEnv
  readonly push: PushOptions
  readonly nowMs: () => number
  /** Keeps work that nobody awaits. */
  readonly background: (work: Promise<void>) => void
}

interface Idle {
  readonly connection: PushConnection
  readonly sinceMs: number
}

/** Pushes over connections that stay open for a moment: opening one costs more than all that a small push does with it. */
export class PushLane {
  readonly #context: LaneContext
  #used = 0
  #idle: Idle[] = []
  #timer: ReturnType<typeof setTimeout> | null = null

  constructor(context: LaneContext) {
    this.#context = context
  }

  /** Null where all connections are in use, and then nothing is done. Throws as `receivePush`. */
  async push({ session, body }: PushCall): Promise<PushAnswer | null> {
    const { env, push, nowMs, background } = this.#context
    if (this.#used === CONNECTIONS) return null
    this.#used += 1
    const connection = this.#idle.pop()?.connection ?? new PushConnection(env, nowMs)
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
