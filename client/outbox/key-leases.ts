import { LIMITS, leasedSequences } from '../../protocol/index.ts'
import type { Http } from '../connection/http.ts'
import type { Copy } from '../store/copies.ts'
import type { Database } from '../store/database.ts'
import { addLeased, countLeft, forgetLeases, isAnyLeased } from '../store/rows/leased-keys.ts'
import { askLeases } from './push-client.ts'
import type { RefusedKey } from './rules/rename-keys.ts'

/** After keys were refused or fewer came than asked for, more are asked for no sooner than this. */
const AGAIN_MS = 30_000
/** A replica is ready without keys rather than wait longer for its first. */
const PREPARE_MS = 5_000

export interface KeyLeasesOptions {
  readonly db: Database
  readonly http: Http
  readonly clientId: string
  readonly shown: () => Copy | null
  readonly nowMs: () => number
}

/** Keeps keys of sequences in store, of which rows that are inserted here get theirs, online and offline. */
export class KeyLeases {
  readonly #options: KeyLeasesOptions
  readonly #closing = new AbortController()
  #turn: Promise<unknown> = Promise.resolve()
  #isDue = false
  #notBeforeMs = 0

  constructor(options: KeyLeasesOptions) {
    this.#options = options
  }

  /** Leases keys where fewer than half of what a replica holds are left; never rejects. `isNew`: the server is back. */
  refillSoon(isNew = false): void {
    if (isNew) this.#notBeforeMs = 0
    if (this.#isDue || this.#options.nowMs() < this.#notBeforeMs || this.#sequences().size === 0) return
    this.#isDue = true
    this.#inTurn(async () => {
      this.#isDue = false
      await this.#refill(each(this.#sequences(), LIMITS.leasedKeys / 2))
    }).catch(() => this.#wait())
  }

  /** Resolves once there is a key of each sequence, or they cannot be had now; never rejects. */
  async prepare(): Promise<void> {
    const sequences = this.#sequences()
    if (sequences.size === 0) return
    const signal = AbortSignal.any([this.#closing.signal, AbortSignal.timeout(PREPARE_MS)])
    await this.#inTurn(() => this.#refill(each(sequences, 1), signal)).catch(() => this.#wait())
  }

  /**
   * Leases keys for new rows whose keys were refused, and answers whether there are enough. Where the server does not
   * know that it gave them, as after it was put back to before, it knows of none of that sequence.
   *
   * Throws TidemarkError where the server cannot be asked.
   */
  leaseFor(refused: readonly RefusedKey[], isUnleased: boolean): Promise<boolean> {
    const needed = Map.groupBy(refused, ({ sequence }) => sequence)
    const sequences = new Set(needed.keys())
    return this.#inTurn(async () => {
      const { db } = this.#options
      const lengths = new Map([...needed].map(([sequence, { length }]) => [sequence, length]))
      if (isUnleased && (await isAnyLeased(db, refused))) await this.#replace(sequences)
      // A mutation may have more new rows than are leased at once, as where many deleted ones come back.
      let hasMore = true
      while (hasMore) hasMore = await this.#refill(lengths)
      const left = await countLeft(db, sequences)
      return [...lengths].every(([sequence, length]) => (left.get(sequence) ?? 0) >= length)
    })
  }

  async stop(): Promise<void> {
    this.#closing.abort()
    await this.#turn.catch(() => undefined)
  }

  #sequences(): Set<string> {
    const copy = this.#options.shown()
    return copy ? leasedSequences(copy.definition.definition) : new Set()
  }

  /** Leases keys once where fewer than these are left; answers whether some were lacking and all that was asked for came. */
  async #refill(below: ReadonlyMap<string, number>, signal = this.#closing.signal): Promise<boolean> {
    const { db, http, clientId } = this.#options
    const left = await countLeft(db, below.keys())
    const lacking = [...below].flatMap(([sequence, least]) => {
      const held = left.get(sequence) ?? 0
      const most = Math.min(LIMITS.leasedKeys, Math.max(LIMITS.leasedKeys, least) - held)
      return held < least ? [[sequence, most] as const] : []
    })
    if (lacking.length === 0) return false
    const keys = await askLeases(http, clientId, Object.fromEntries(lacking), signal)
    await db.transaction((tx) => addLeased(tx, keys))
    const isAll = lacking.every(([sequence, most]) => (keys[sequence]?.length ?? 0) >= most)
    if (!isAll) this.#wait()
    return isAll
  }

  /** Puts fresh keys in the place of all that are known of these sequences, which the server does not know. */
  async #replace(sequences: ReadonlySet<string>): Promise<void> {
    const { db, http, clientId } = this.#options
    const wanted = Object.fromEntries([...sequences].map((sequence) => [sequence, LIMITS.leasedKeys]))
    const keys = await askLeases(http, clientId, wanted, this.#closing.signal)
    await db.transaction(async (tx) => {
      await forgetLeases(tx, sequences)
      await addLeased(tx, keys)
    })
  }

  #wait(): void {
    this.#notBeforeMs = this.#options.nowMs() + AGAIN_MS
  }

  #inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const turn = this.#turn.catch(() => undefined).then(work)
    this.#turn = turn
    return turn
  }
}

const each = (sequences: Iterable<string>, count: number): ReadonlyMap<string, number> =>
  new Map([...sequences].map((sequence) => [sequence, count]))
