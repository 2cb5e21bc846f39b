/*
 * A SyncDO keeps up with history by deliveries, and by reading where they leave a gap.
 *
 * It keeps a log of the recent changes of its audiences, complete from `trimmedTo` to its head. A delivery that begins
 * at the head is appended. One that begins later leaves a gap, which is read from `tidemark.change_history`; one that
 * ends below the head brings nothing new. A delivery of another epoch says that this object must subscribe anew. Across
 * a gap that is pruned, or larger than half the log may be, the head jumps, and sessions read history for themselves.
 *
 *     delivery ──► append            from = head
 *              ├─► read the gap      from > head, or sent without its transactions
 *              ├─► nothing           to ≤ head
 *              └─► subscribe anew    another epoch
 *
 * Deliveries may come late, twice or out of order. The head never goes back, and each answer says how far it is, so
 * that the ReplicationDO sends again what is missing. Rights that a stretch may have changed are in doubt before the
 * head moves past it.
 */
import { type Lsn, maxLsn, TidemarkError, ZERO_LSN } from '../../protocol/index.ts'
import type { Delivery, DeliveryReceipt, RightsChange } from '../contracts.ts'
import type { EncodedTransaction, PlacedChange } from '../encoded-change.ts'
import { readHistory } from './history.ts'
import { judgeDelivery, trimPoint } from './rules/delivery.ts'
import type { Subscription } from './subscription.ts'
import type { SyncContext } from './sync-context.ts'

export interface HeadEvents {
  /** Called before the head moves past a change of rights. */
  readonly onRights: (rights: RightsChange) => void
  /** Called with the transactions that lead from the head to `to`, before any of them is kept. */
  readonly onDelivered: (transactions: readonly EncodedTransaction[], head: Lsn, to: Lsn) => void
  readonly onHead: () => void
}

/** Keeps the log complete up to its head: by deliveries, and by history where they leave a gap. */
export class HeadFollower {
  readonly #context: SyncContext
  readonly #subscription: Subscription
  readonly #events: HeadEvents
  #catchingUp: Promise<void> | null = null

  constructor(context: SyncContext, subscription: Subscription, events: HeadEvents) {
    this.#context = context
    this.#subscription = subscription
    this.#events = events
  }

  /** Accepts a delivery, however late, doubled or out of order. Throws `unavailable` where a gap cannot be read now. */
  async deliver(delivery: Delivery): Promise<DeliveryReceipt> {
    const { storage, background } = this.#context
    const { state } = storage
    // A delivery may overtake the answer to the first subscription.
    if (state.epoch === null) await this.#subscription.running?.catch(() => {})
    const { epoch, version, from, to, transactions } = delivery
    const verdict = judgeDelivery(
      {
        epoch: state.epoch,
        head: state.head,
        version: state.version,
        joinedAt: (known) => this.#joinedAfter(known),
      },
      { epoch, version, from, to, whole: transactions !== null },
    )
    if (verdict === 'unknown') return { epoch, head: to }
    if (verdict === 'other-epoch') {
      background(() => this.#subscription.renew())
    } else {
      this.#subscription.noteDefinition(delivery.definition)
      if (delivery.definition) this.#subscription.noteWatched(delivery.definition)
      if (verdict === 'append') this.#accept(transactions ?? [], to, delivery.rights)
      if (verdict === 'gap') await this.reach(to)
    }
    return { epoch: state.epoch ?? epoch, head: state.head ?? from }
  }

  /** Returns once the log's head is at or past `to`, reading the gap from history; single flight. Throws `unavailable`. */
  async reach(to: Lsn): Promise<void> {
    const { storage } = this.#context
    storage.update({ target: maxLsn(to, storage.state.target) })
    this.#catchingUp ??= this.#catchUp().finally(() => {
      this.#catchingUp = null
    })
    await this.#catchingUp
  }

  get behind(): boolean {
    const { head, target } = this.#context.storage.state
    return head !== null && head < target
  }

  /** Reads gaps until no later target has come; each turn reads to a target that was set before it began. */
  async #catchUp(): Promise<void> {
    const { state } = this.#context.storage
    while (state.head !== null && state.epoch !== null && state.head < state.target) {
      const to = state.target
      this.#subscription.readingTo = to
      try {
        await this.#readGap(state.epoch, state.head, to)
      } finally {
        this.#subscription.readingTo = null
      }
    }
  }

  async #readGap(epoch: string, from: Lsn, to: Lsn): Promise<void> {
    const { storage, limits, withDatabase } = this.#context
    const identity = { userId: null, audiences: [...storage.audiences.keys()] }
    const budget = Math.floor(limits.logChars / 2)
    const changes: PlacedChange[] = []
    let chars = 0
    const { outcome, definition, rights } = await withDatabase((database) =>
      readHistory(database, identity, { epoch, from, to, skip: 0, mutationsAfter: ZERO_LSN }, (page) => {
        changes.push(...page)
        chars += page.reduce((sum, change) => sum + change.text.length, 0)
        return chars <= budget
      }),
    )
    if (storage.state.epoch !== epoch) return
    if (outcome === 'ended') {
      this.#context.background(() => this.#subscription.renew())
      throw new TidemarkError('unavailable', 'The history that was followed has ended; a new one begins.')
    }
    this.#subscription.noteDefinition(definition)
    // The gap is too large for the log, or pruned: sessions read history for themselves, as far as it reaches back.
    if (outcome === 'pruned' || chars > budget) this.#jump(to, rights)
    else this.#append(groupByTransaction(changes), to, rights)
  }

  /** Accepts transactions, all of which are in history: sessions need not wait until they are kept here too. */
  #accept(transactions: readonly EncodedTransaction[], to: Lsn, rights: RightsChange | null): void {
    const { head } = this.#context.storage.state
    const ahead = transactions.filter(({ lsn }) => head !== null && lsn > head && lsn <= to)
    if (head !== null && rights === null && ahead.length > 0) this.#events.onDelivered(ahead, head, to)
    this.#append(transactions, to, rights)
  }

  #append(transactions: readonly EncodedTransaction[], to: Lsn, rights: RightsChange | null): void {
    const { storage, log, limits } = this.#context
    const { state } = storage
    const head = state.head
    if (head === null || to <= head) return
    if (rights !== null) this.#events.onRights(rights)
    let chars = state.logChars
    for (const transaction of transactions) {
      if (transaction.lsn > head && transaction.lsn <= to) chars += log.append(transaction)
    }
    storage.update({ head: to, target: maxLsn(to, state.target), logChars: chars })
    const trim = trimPoint(log.oldestFirst(), chars, limits.logChars)
    if (trim) {
      log.trim(trim.to)
      storage.update({ trimmedTo: maxLsn(trim.to, state.trimmedTo), logChars: chars - trim.chars })
    }
    this.#events.onHead()
  }

  #jump(to: Lsn, rights: RightsChange | null): void {
    const { storage, log } = this.#context
    if (storage.state.head !== null && storage.state.head >= to) return
    if (rights !== null) this.#events.onRights(rights)
    log.clear()
    storage.update({ head: to, target: maxLsn(to, storage.state.target), trimmedTo: to, logChars: 0 })
    this.#events.onHead()
  }

  #joinedAfter(version: number): Lsn | null {
    let joinedAt: Lsn | null = null
    for (const row of this.#context.storage.audiences.values()) {
      if (row.version <= version || row.start === null) continue
      if (joinedAt === null || row.start < joinedAt) joinedAt = row.start
    }
    return joinedAt
  }
}

function groupByTransaction(changes: readonly PlacedChange[]): EncodedTransaction[] {
  const transactions: { lsn: Lsn; xid: string; at: string; changes: PlacedChange[] }[] = []
  for (const change of changes) {
    const last = transactions.at(-1)
    if (last?.lsn === change.lsn) last.changes.push(change)
    else transactions.push({ lsn: change.lsn, xid: change.xid, at: change.at, changes: [change] })
  }
  return transactions
}
