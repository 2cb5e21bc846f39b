import { LIMITS, type Lsn } from '../../../protocol/index.ts'
import type { RightsChange } from '../../contracts.ts'
import { type EncodedChange, type EncodedTransaction, encodeKept } from '../../encoded-change.ts'
import { joinRights } from './rights.ts'
import type { BeginEvent } from './source-event.ts'
import type { HistoryRow } from './to-changes.ts'

/** What subscribers are told of stored transactions. */
export interface BatchNews {
  /** The wanted audiences that something happened to. */
  readonly audiences: ReadonlySet<string>
  /** A TRUNCATE, a new definition or changed rights: everyone is told. */
  readonly everyone: boolean
  /** What the wanted audiences are told; null above `LIMITS.deliveryBytes`, when they read history instead. */
  readonly transactions: readonly EncodedTransaction[] | null
  /** Whose rights the stored transactions may change; null: nobody's. */
  readonly rights: RightsChange | null
  /** Whether a mutation was committed, whoever hears of it. */
  readonly hasMutations: boolean
}

/** Characters of a change beside its text, in what an RPC carries. */
const CHANGE_OVERHEAD_CHARS = 100

/** Counts what a batch stored, and gathers what its subscribers are told. */
export class BatchTally {
  /** End of the last transaction stored; null when none was. */
  head: Lsn | null = null
  /** End of the last transaction seen, stored or not. */
  seenTo: Lsn | null = null
  storedRows = 0
  /** The version that the last transaction put in force. */
  definitionVersion: number | null = null
  readonly #wanted: (audience: string) => boolean
  readonly #audiences = new Set<string>()
  #transactions: EncodedTransaction[] | null = []
  #everyone = false
  #rights: RightsChange | null = null
  #hasMutations = false
  #chars = 0
  /** Those of the transaction whose end has not come. */
  #changes: EncodedChange[] = []

  /** `wanted` says whether anybody subscribes to an audience. */
  constructor(wanted: (audience: string) => boolean) {
    this.#wanted = wanted
  }

  get news(): BatchNews {
    return {
      audiences: this.#audiences,
      everyone: this.#everyone,
      transactions: this.#transactions,
      rights: this.#rights,
      hasMutations: this.#hasMutations,
    }
  }

  /** Takes up a row that was stored of the open transaction. */
  addRow(row: HistoryRow): void {
    const { operation, audience } = row
    this.storedRows += 1
    this.#hasMutations ||= operation === 'mutation'
    // Who serves whom is not known here: such a row is everyone's.
    if (operation === 'truncate' || operation === 'definition' || operation === 'rights') this.#everyone = true
    else if (audience === null || !this.#wanted(audience)) return
    else this.#audiences.add(audience)
    this.#gather(row)
  }

  addRights(rights: RightsChange): void {
    this.#rights = joinRights(this.#rights, rights)
  }

  /** Ends the open transaction; `isStored` where at least one row of it was. */
  commit({ lsn, xid, committedAt: at }: BeginEvent, isStored: boolean): void {
    this.seenTo = lsn
    if (isStored) this.head = lsn
    const changes = this.#changes
    if (changes.length === 0) return
    this.#transactions?.push({ lsn, xid, at, changes })
    this.#changes = []
  }

  #gather(row: HistoryRow): void {
    if (this.#transactions === null) return
    const change = encodeKept(row)
    if (change === null) return
    this.#chars += change.text.length + CHANGE_OVERHEAD_CHARS
    if (this.#chars > LIMITS.deliveryBytes) {
      this.#transactions = null
      this.#changes = []
    } else {
      this.#changes.push(change)
    }
  }
}
