import { formatPgLsn, type Lsn } from '../../protocol/index.ts'
import { backoffMs } from '../backoff.ts'
import { type Database, openDatabase, type Parameter, SQL_STATE, sqlStateOf, textArray } from '../database/index.ts'
import type { DatabaseEnv } from '../env.ts'
import { isPooled } from './rules/watch.ts'
import {
  MOST_PEEK_ROWS,
  type PeekOrder,
  readWaitedPeek,
  SHORT_PEEK_CHARS,
  SHORT_PEEK_ROWS,
  type WaitedPeek,
} from './short-peek.ts'

/** The longest wait; the procedure itself allows no more. */
const LONGEST_WAIT_MS = 10_000
/** A lasting obstacle is tried again after this long, because a migration may have removed it. */
const OBSTACLE_MS = 10 * 60_000
const FIRST_RETRY_MS = 1_000
const LONGEST_RETRY_MS = 60_000

const POOLED = 'DATABASE_URL names a connection pooler: give the direct host, the same name without -pooler'
const OBSTACLES: Readonly<Record<string, string>> = {
  [SQL_STATE.undefinedFunction]: 'procedure tidemark.wait_for_wal is missing: run `tidemark migrate`',
  [SQL_STATE.insufficientPrivilege]: 'the role may not call procedure tidemark.wait_for_wal: GRANT EXECUTE',
  [SQL_STATE.invalidTransactionTermination]: POOLED,
}

export interface WaitRequest {
  readonly slotName: string
  readonly past: Lsn
  readonly atLeastMs: number
  /** Our own transaction's id where nothing else was in progress beside it: the wait begins beyond it. Else null. */
  readonly ownXid: string | null
  /** The place to which the slot is moved first; null where it stays. */
  readonly advanceTo: Lsn | null
  /** Null where the call only waits. */
  readonly peek: PeekOrder | null
}

export interface Waited {
  /** False where it failed: the slot may not have moved. */
  readonly done: boolean
  readonly peeked: WaitedPeek | null
}

const CALL = `CALL tidemark.wait_for_wal($1::pg_lsn, $2::int, $3::int, $4::text::xid8, $5::name, $6::pg_lsn, $7::boolean,
  $8::pg_lsn, $9::int, $10::int, $11::int, $12::text[], NULL)`

function callParams({ past, atLeastMs, ownXid, advanceTo, peek, slotName }: WaitRequest): Parameter[] {
  const call = peek?.source.call(peek.plans)
  return [
    formatPgLsn(past),
    LONGEST_WAIT_MS,
    Math.min(Math.round(atLeastMs), LONGEST_WAIT_MS),
    ownXid,
    slotName,
    advanceTo && formatPgLsn(advanceTo),
    peek?.source.decoder === 'pgoutput',
    peek && formatPgLsn(peek.limit),
    SHORT_PEEK_ROWS,
    MOST_PEEK_ROWS,
    SHORT_PEEK_CHARS,
    textArray(call?.options ?? []),
  ]
}

/** Waits inside Postgres until the log grows, on a connection of its own that holds nothing meanwhile. */
export class WalWatch {
  readonly #env: DatabaseEnv
  readonly #nowMs: () => number
  readonly #pooled: boolean
  #database: Database | null = null
  #waiting = false
  #obstacle: { readonly text: string; readonly untilMs: number } | null = null
  #failures = 0

  constructor(env: DatabaseEnv, nowMs: () => number) {
    this.#env = env
    this.#nowMs = nowMs
    this.#pooled = isPooled(env.DATABASE_URL)
  }

  get waiting(): boolean {
    return this.#waiting
  }

  /** Its connection while it does not wait; null when there is none. */
  get idleConnection(): Database | null {
    return !this.#waiting && this.#database?.usable ? this.#database : null
  }

  /** The reason why a wait cannot be had at present; null where none is known. */
  get obstacle(): string | null {
    if (this.#pooled) return POOLED
    return this.#obstacle !== null && this.#nowMs() < this.#obstacle.untilMs ? this.#obstacle.text : null
  }

  /**
   * Returns once the log on disk reaches beyond `past`, at least `atLeastMs` and at most 10 s later, with a peek where
   * that is short. Never throws: a failure is the obstacle from then on. Waits must not overlap.
   */
  async wait(request: WaitRequest): Promise<Waited> {
    this.#waiting = true
    try {
      const database = await this.#connect()
      const [row] = await database.rows(CALL, callParams(request))
      this.#obstacle = null
      this.#failures = 0
      const peeked = row?.[0] ?? null
      return { done: true, peeked: peeked === null || !request.peek ? null : readWaitedPeek(peeked, request.peek) }
    } catch (error) {
      this.#hinder(error)
      await this.#disconnect()
      return { done: false, peeked: null }
    } finally {
      this.#waiting = false
    }
  }

  /** Closes the connection, unless a wait is under way: it ends soon. */
  async close(): Promise<void> {
    if (!this.#waiting) await this.#disconnect()
  }

  #hinder(error: unknown): void {
    const lasting = OBSTACLES[sqlStateOf(error) ?? '']
    if (lasting !== undefined) {
      this.#obstacle = { text: lasting, untilMs: this.#nowMs() + OBSTACLE_MS }
      return
    }
    this.#failures += 1
    const pauseMs = backoffMs(this.#failures, Math.random(), FIRST_RETRY_MS, LONGEST_RETRY_MS)
    this.#obstacle = { text: 'the connection that waits was cut; it is opened again', untilMs: this.#nowMs() + pauseMs }
  }

  async #connect(): Promise<Database> {
    if (this.#database?.usable) return this.#database
    await this.#disconnect()
    this.#database = await openDatabase(this.#env, {
      applicationName: 'tidemark watch',
      statementTimeoutMs: 2 * LONGEST_WAIT_MS,
      prepare: true,
    })
    return this.#database
  }

  async #disconnect(): Promise<void> {
    const database = this.#database
    this.#database = null
    await database?.close()
  }
}
