import { LIMITS, type Lsn } from '../../../protocol/index.ts'
import type { RightsChange } from '../../contracts.ts'
import { type EncodedChange, type EncodedTransaction, encodeKept } from '../../encoded-change.ts'
import { joinRights } from './rights.ts'
import type { BeginEvent } from './source-event.ts'
import { type HistoryRow, mutationOf } from './to-changes.ts'

/** The news of stored transactions for subscribers. */
export interface BatchNews {
  /** The wanted audiences that a stored change concerns. */
  readonly audiences: ReadonlySet<string>
  /** True after a TRUNCATE, a new definition or changed rights, of which everyone is told. */
  readonly everyone: boolean
  /** The changes for the wanted audiences; null above `LIMITS.deliveryBytes`, when subscribers read history instead. */
  readonly transactions: readonly EncodedTransaction[] | null
  /** The users whose rights the stored transactions may change; null for nobody's. */
  readonly rights: RightsChange | null
  /** True where a mutation was committed, even if no subscriber wants it. */
  readonly hasMutations: boolean
  readonly stored: StoredFigures
}

export interface TracedMutation {
  readonly client: string
  readonly counter: number
  readonly lsn: Lsn
}

/** A batch may hold a backlog of hours. */
const MOST_TRACED = 1_000

/** What a batch stored, counted for health. */
export interface StoredFigures {
  readonly transactions: number
  readonly rows: number
  /** The commit times of the first and the last of them, in ms since 1970 by the server's clock; null where there is none. */
  readonly firstCommitMs: number | null
  readonly lastCommitMs: number | null
  /** Counts decided mutations by `committed` or the kind of their rejection. */
  readonly outcomes: Readonly<Record<string, number>>
  /** The first of them, at most `MOST_TRACED`, each with the end of its transaction. */
  readonly mutations: readonly TracedMutation[]
}

export const NOTHING_STORED: StoredFigures = {
  transactions: 0,
  rows: 0,
  firstCommitMs: null,
  lastCommitMs: null,
  outcomes: {},
  mutations: [],
}

const COMMITTED = /^\{"counter":\d+,"rejection":null/

/** Reads how a mutation ended from its row of history. Only a rejection is parsed: it holds no rows. */
function outcomeOf(data: string | null): string {
  if (data === null || COMMITTED.test(data)) return 'committed'
  const { rejection }: { rejection?: { kind: string } | null } = JSON.parse(data)
  return rejection?.kind ?? 'committed'
}

const msOf = (at: string | null): number | null => (at === null ? null : Date.parse(at))

/** The characters that a change takes in an RPC beside its text. */
const CHANGE_OVERHEAD_CHARS = 100

/** Counts what a batch stored, and gathers the news for its subscribers. */
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
  #stored = 0
  #firstCommit: string | null = null
  #lastCommit: string | null = null
  readonly #outcomes: Record<string, number> = {}
  #chars = 0
  /** The changes of the open transaction, and the mutation that it is. */
  #changes: EncodedChange[] = []
  #mutation: ReturnType<typeof mutationOf> = null
  readonly #mutations: TracedMutation[] = []

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
      stored: {
        transactions: this.#stored,
        rows: this.storedRows,
        firstCommitMs: msOf(this.#firstCommit),
        lastCommitMs: msOf(this.#lastCommit),
        outcomes: this.#outcomes,
        mutations: this.#mutations,
      },
    }
  }

  /** Counts a stored row of the open transaction. */
  addRow(row: HistoryRow): void {
    const { operation, audience } = row
    this.storedRows += 1
    if (operation === 'mutation') {
      const outcome = outcomeOf(row.data)
      this.#outcomes[outcome] = (this.#outcomes[outcome] ?? 0) + 1
      this.#hasMutations = true
      this.#mutation ??= mutationOf(row)
    }
    // The clients of a subscriber are not known here, so such a row goes to everyone.
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
    if (isStored) {
      this.head = lsn
      this.#stored += 1
      this.#firstCommit ??= at
      this.#lastCommit = at
      if (this.#mutation !== null && this.#mutations.length < MOST_TRACED)
        this.#mutations.push({ ...this.#mutation, lsn })
    }
    this.#mutation = null
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
