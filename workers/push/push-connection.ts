import type { Database } from '../database/index.ts'
import type { PushSessions } from './push-sessions.ts'

/** One connection, opened when it is first asked for, and again after it was cut. */
export class PushConnection {
  readonly #sessions: PushSessions
  readonly #nowMs: () => number
  #open: Database | null = null
  #openedAtMs = 0

  constructor(sessions: PushSessions, nowMs: () => number) {
    this.#sessions = sessions
    this.#nowMs = nowMs
  }

  /** Time since the connection was opened; 0 while none is open. */
  get ageMs(): number {
    return this.#open ? this.#nowMs() - this.#openedAtMs : 0
  }

  /** Returns the open connection, or opens one. Throws `unavailable` or `misconfigured`. */
  async get(): Promise<Database> {
    if (this.#open?.usable) return this.#open
    await this.close()
    this.#open = await this.#sessions.open()
    this.#openedAtMs = this.#nowMs()
    return this.#open
  }

  /** Makes the connection as good as new for another user. Throws what the database throws. */
  async reset(): Promise<void> {
    if (this.#open?.usable) await this.#open.reset()
  }

  /** Ends the session whatever runs in it, on the server too. Never throws. */
  async end(): Promise<void> {
    if (this.#open) await this.#sessions.end(this.#open)
  }

  async close(): Promise<void> {
    await this.#open?.close()
    this.#open = null
  }
}
