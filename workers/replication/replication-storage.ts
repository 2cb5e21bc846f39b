import { asLsn } from '../../protocol/index.ts'
import type { SubscribeAnswer } from '../contracts.ts'
import type { CapturePause } from '../operations-contract.ts'
import type { CaptureStore } from './capture-state.ts'
import { type CaptureMemory, NO_MEMORY } from './rules/epoch-decision.ts'
import type { CaptureOutcome } from './rules/health-figures.ts'
import { FIRST_OWED, type OwedCalls } from './rules/owed-calls.ts'
import type { RoutedSubscription } from './rules/subscription.ts'
import { NOTHING_TOLD, type NoticeState } from './rules/verdict-notice.ts'

/** The part of `SqlStorage` that is used. */
export interface Sql {
  exec(text: string, ...bindings: (string | number | null)[]): Iterable<Record<string, unknown>>
}

type Place = Pick<SubscribeAnswer, 'epoch' | 'definition' | 'floor'>

/** The ReplicationDO's memory, in its own SQLite. */
export class ReplicationStorage implements CaptureStore {
  readonly #sql: Sql
  #memory: CaptureMemory | null = null
  #place: Place | null = null
  #owedCalls: OwedCalls | null = null
  #notice: NoticeState | null = null
  /** Undefined until it is read. */
  #pause: CapturePause | null | undefined

  constructor(sql: Sql) {
    this.#sql = sql
    sql.exec('CREATE TABLE IF NOT EXISTS memory (name TEXT PRIMARY KEY, value TEXT NOT NULL)')
    sql.exec(
      `CREATE TABLE IF NOT EXISTS subscription (subscriber TEXT PRIMARY KEY, audiences TEXT NOT NULL, version INTEGER NOT NULL,
        epoch TEXT NOT NULL, acked TEXT NOT NULL, lease_until_ms INTEGER NOT NULL, definition_version INTEGER NOT NULL)`,
    )
  }

  read(): CaptureMemory {
    this.#memory ??= { ...NO_MEMORY, ...JSON.parse(this.#get('capture') ?? '{}') }
    return this.#memory ?? NO_MEMORY
  }

  write(memory: CaptureMemory): void {
    this.#memory = memory
    this.#put('capture', JSON.stringify(memory))
  }

  /** The time since which nothing has happened; null when nothing ever did. */
  get quietSinceMs(): number | null {
    const text = this.#get('quiet-since')
    return text === null ? null : Number(text)
  }

  set quietSinceMs(atMs: number | null) {
    this.#put('quiet-since', String(atMs ?? 0))
  }

  /** The answer to a renewed lease, as a cycle saw it last; null before the first. */
  get place(): Place | null {
    this.#place ??= JSON.parse(this.#get('place') ?? 'null')
    return this.#place
  }

  set place(place: Place) {
    this.#place = place
    this.#put('place', JSON.stringify(place))
  }

  get owedCalls(): OwedCalls {
    this.#owedCalls ??= { ...FIRST_OWED, ...JSON.parse(this.#get('owed-calls') ?? '{}') }
    return this.#owedCalls ?? FIRST_OWED
  }

  /** Writes only where the value is another object. */
  set owedCalls(calls: OwedCalls) {
    if (calls === this.owedCalls) return
    this.#owedCalls = calls
    this.#put('owed-calls', JSON.stringify(calls))
  }

  /** The mark up to which a consumer has handled all; null where it never had. */
  consumedTo(consumer: string): string | null {
    return this.#get(`consumed:${consumer}`)
  }

  noteConsumed(consumer: string, mark: string): void {
    if (mark !== this.consumedTo(consumer)) this.#put(`consumed:${consumer}`, mark)
  }

  /** Reads every subscription as it was last acknowledged; anything later must be sent again. */
  subscriptions(): RoutedSubscription[] {
    return [...this.#sql.exec('SELECT * FROM subscription')].map((row) => ({
      subscriber: String(row.subscriber),
      audiences: new Set<string>(JSON.parse(String(row.audiences))),
      version: Number(row.version),
      askedMs: 0,
      epoch: String(row.epoch),
      acked: asLsn(String(row.acked)),
      leaseUntilMs: Number(row.lease_until_ms),
      definitionVersion: Number(row.definition_version),
      neededTo: asLsn(String(row.acked)),
      generation: 0,
      sentAtMs: null,
      deliveredAtMs: 0,
      failures: 0,
      retryAtMs: null,
    }))
  }

  /** The outcome of the last run; null when none ever ended. */
  get outcome(): CaptureOutcome | null {
    return JSON.parse(this.#get('outcome') ?? 'null')
  }

  set outcome(outcome: CaptureOutcome) {
    this.#put('outcome', JSON.stringify(outcome))
  }

  /** What the operators' webhook was told, and is to be told. */
  get notice(): NoticeState {
    this.#notice ??= JSON.parse(this.#get('notice') ?? 'null')
    return this.#notice ?? NOTHING_TOLD
  }

  /** Writes only where the value is another object. */
  set notice(notice: NoticeState) {
    if (notice === this.notice) return
    this.#notice = notice
    this.#put('notice', JSON.stringify(notice))
  }

  /** The pause that an operator wants; null where capture runs. */
  get pause(): CapturePause | null {
    if (this.#pause === undefined) this.#pause = JSON.parse(this.#get('pause') ?? 'null')
    return this.#pause ?? null
  }

  set pause(pause: CapturePause | null) {
    this.#pause = pause
    this.#put('pause', JSON.stringify(pause))
  }

  putSubscription(subscription: RoutedSubscription): void {
    const { subscriber, audiences, version, epoch, acked, leaseUntilMs, definitionVersion } = subscription
    this.#sql.exec(
      'INSERT OR REPLACE INTO subscription VALUES (?, ?, ?, ?, ?, ?, ?)',
      subscriber,
      JSON.stringify([...audiences]),
      version,
      epoch,
      acked,
      leaseUntilMs,
      definitionVersion,
    )
  }

  /** Updates a subscription whose audiences are as they were put. */
  updateSubscription({ subscriber, epoch, acked, leaseUntilMs, definitionVersion }: RoutedSubscription): void {
    this.#sql.exec(
      'UPDATE subscription SET epoch = ?, acked = ?, lease_until_ms = ?, definition_version = ? WHERE subscriber = ?',
      epoch,
      acked,
      leaseUntilMs,
      definitionVersion,
      subscriber,
    )
  }

  dropSubscription(subscriber: string): void {
    this.#sql.exec('DELETE FROM subscription WHERE subscriber = ?', subscriber)
  }

  #get(name: string): string | null {
    for (const row of this.#sql.exec('SELECT value FROM memory WHERE name = ?', name)) return String(row.value)
    return null
  }

  #put(name: string, value: string): void {
    this.#sql.exec('INSERT OR REPLACE INTO memory VALUES (?, ?)', name, value)
  }
}
