import { LIMITS, type Outcome, type Rejection } from '../../protocol/index.ts'
import type { Journal } from '../journal/journal.ts'
import type { FrozenRecord } from '../journal/rules/records.ts'
import { mutationRequest, type Request, type Unsent } from '../mutations/rules/mutation-request.ts'
import { predictedChanges } from '../mutations/rules/predicted-changes.ts'
import { isOfKeys } from '../rebase/rules/left-to-push.ts'
import type { Copy, Executor } from '../store/copies.ts'
import type { Database } from '../store/database.ts'
import { parseActionKeys } from '../store/rows/leased-keys.ts'
import { keepOutcomes } from '../store/rows/outcome-rows.ts'
import { deleteConfirmed } from '../store/rows/record-rows.ts'
import {
  freezeRequests,
  keepSquash,
  readSquashed,
  readUnsent,
  type UnsentMutations,
  type WaitingMutation,
} from '../store/rows/sending-rows.ts'
import { readWritesOf, type StoredWrite } from '../store/rows/write-rows.ts'
import type { DrainHost, Outgoing } from './drain.ts'
import type { KeyLeases } from './key-leases.ts'
import type { Outbox } from './outbox.ts'
import { cutBatch, type Frozen } from './rules/cut-batch.ts'
import { squashUnsent } from './rules/squash-unsent.ts'
import { isEdit, type UndoHistory } from './undo-history.ts'

type Sendable = Exclude<Request, { tooLarge: Rejection }>

/** This many confirmed mutations stay to be looked at; the oldest that nothing unsettled builds on go. */
const KEPT = 2_000

/** Reads mutations from the outbox in their order, squashes and freezes them, and stores their outcomes. */
export class OutgoingMutations implements Pick<DrainHost, 'freezeNext' | 'receiveOutcomes'> {
  readonly #db: Database
  readonly #outbox: Outbox
  readonly #shown: () => Copy | null
  readonly #history: Pick<UndoHistory, 'noteWrites' | 'forgetFailed'>
  readonly #leases: Pick<KeyLeases, 'leaseFor'>
  readonly #journal: Pick<Journal, 'runFreezing'> | null
  readonly #onSquashed: () => void
  readonly #whileRemaking: (work: () => Promise<number>) => Promise<void>
  /** The last mutation that was looked at for squashing. */
  #seen = 0
  /** For each unsent mutation, those on which it builds. */
  #after: ReadonlyMap<number, readonly number[]> = new Map()

  constructor(options: {
    readonly db: Database
    readonly outbox: Outbox
    readonly shown: () => Copy | null
    /** Notes what each mutation did by itself, before it is squashed into another. */
    readonly history: Pick<UndoHistory, 'noteWrites' | 'forgetFailed'>
    /** Leases keys in the place of those that were refused. */
    readonly leases: Pick<KeyLeases, 'leaseFor'>
    /** Records mutations before they are squashed, and frozen texts before they leave. */
    readonly journal: Pick<Journal, 'runFreezing'> | null
    /** Called when mutations were squashed, which end as others do, or came to nothing, which are confirmed. */
    readonly onSquashed: () => void
    /** Runs what makes mutations anew, and answers the number of the last. */
    readonly whileRemaking: (work: () => Promise<number>) => Promise<void>
  }) {
    this.#db = options.db
    this.#outbox = options.outbox
    this.#shown = options.shown
    this.#history = options.history
    this.#leases = options.leases
    this.#journal = options.journal
    this.#onSquashed = options.onSquashed
    this.#whileRemaking = options.whileRemaking
  }

  async freezeNext(): Promise<Outgoing> {
    for (;;) {
      const freeze = (tx: Executor) => this.#freezeWaiting(tx)
      const { outgoing, tooLarge } = await (this.#journal?.runFreezing(freeze) ?? this.#db.transaction(freeze))
      // Each turn fails those it found, so that the next one finds others.
      for (const [counter, rejection] of tooLarge) await this.#outbox.failMutation(counter, rejection)
      if (outgoing.mutations.length > 0 || tooLarge.size === 0) return outgoing
    }
  }

  async receiveOutcomes(outcomes: readonly Outcome[]): Promise<void> {
    const committed = outcomes.filter(({ status }) => status === 'committed')
    if (committed.length > 0) await keepOutcomes(this.#db, committed)
    for (const outcome of outcomes)
      if (outcome.status === 'rejected' && isOfKeys(outcome.rejection))
        await this.#remakeUnderKeys(outcome.counter, outcome.rejection)
    await this.#outbox.failUncommitted(outcomes)
  }

  /** Throws TidemarkError where no keys can be leased now: the push is then made again, and answered alike. */
  async #remakeUnderKeys(counter: number, rejection: Rejection): Promise<void> {
    const refused = await this.#outbox.readRefusedKeys(counter, rejection)
    if (refused.length === 0) return
    if (!(await this.#leases.leaseFor(refused, rejection.kind === 'key-unleased'))) {
      await this.#outbox.failMutation(counter, rejection)
      return
    }
    await this.#whileRemaking(async () => {
      const { former, last } = await this.#outbox.remakeUnderKeys(counter, rejection, refused)
      this.#history.forgetFailed(former)
      return last
    })
    this.#onSquashed()
  }

  async #freezeWaiting(
    tx: Executor,
  ): Promise<{ outgoing: Outgoing; tooLarge: Map<number, Rejection>; frozen: readonly FrozenRecord[] }> {
    const copy = this.#shown()
    const { waiting, writes } = await this.#lookAtNew(tx, copy)
    const tooLarge = new Map<number, Rejection>()
    const fresh = new Map<number, Sendable>()
    const frozen: Frozen[] = []
    for (const mutation of waiting) {
      if (mutation.request !== null) frozen.push({ counter: mutation.counter, request: mutation.request })
      if (mutation.request !== null) continue
      // Without tables no request can be made of it, and none behind it may go first.
      if (!copy) break
      // A mutation of a table that waits to be loaded is said in names that no version has.
      if (copy.behind.size > 0 && (await this.#touchesBehind(tx, copy, mutation))) break
      const request = mutationRequest(await this.#unsentOf(tx, copy, mutation, writes))
      if ('tooLarge' in request) tooLarge.set(mutation.counter, request.tooLarge)
      // Mutations that build on one that is too large fail with it.
      if ('tooLarge' in request) break
      fresh.set(mutation.counter, request)
      frozen.push({ counter: mutation.counter, request: request.text })
    }
    const mutations = cutBatch(frozen, { mutations: LIMITS.pushMutations, chars: LIMITS.pushChars })
    const kept = mutations.flatMap(({ counter }) => {
      const request = fresh.get(counter)
      return request ? [{ counter, ...request }] : []
    })
    const acknowledged = await freezeRequests(tx, kept)
    for (const { counter, predicted } of kept) if (predicted) this.#outbox.keepPrediction(counter, predicted)
    if (acknowledged > KEPT) await deleteConfirmed(tx, acknowledged - KEPT)
    const hasMore = mutations.length < waiting.length
    return {
      outgoing: { acknowledged, mutations, hasMore, isHeld: mutations.length === 0 && hasMore && tooLarge.size === 0 },
      tooLarge,
      frozen: this.#journal ? await frozenRecords(tx, kept) : [],
    }
  }

  async #unsentOf(
    tx: Executor,
    copy: Copy,
    { counter, kind, name, args, keys, at, patch: rows }: WaitingMutation,
    known: readonly StoredWrite[],
  ): Promise<Unsent> {
    const common = { counter, at, version: copy.definition.version, after: this.#after.get(counter) ?? [] }
    if (kind === 'patch') return { ...common, kind, rows: rows ?? [] }
    const writes =
      known.length > 0 ? known.filter((write) => write.counter === counter) : await readWritesOf(tx, [counter])
    const predicted = predictedChanges(writes, copy.tables)
    const taken = keys === null ? null : parseActionKeys(keys)
    return { ...common, kind, name: name ?? '', args: JSON.parse(args ?? 'null'), keys: taken, predicted }
  }

  async #touchesBehind(tx: Executor, { behind }: Copy, { counter, patch: rows }: WaitingMutation): Promise<boolean> {
    if (rows) return rows.some(({ t }) => behind.has(t))
    return (await readWritesOf(tx, [counter])).some(({ table }) => behind.has(table))
  }

  #readUnsent(tx: Executor): Promise<UnsentMutations> {
    return readUnsent(tx, this.#seen, LIMITS.pushMutations + 1)
  }

  /** Looks once at each new mutation: what it does, on which others it builds, and what it is squashed into. */
  async #lookAtNew(tx: Executor, copy: Copy | null): Promise<UnsentMutations> {
    const found = await this.#readUnsent(tx)
    if (!copy || found.last <= this.#seen) return found
    if (found.fresh.some(({ kind, patch: rows }) => kind === 'patch' && rows === null)) {
      await this.#outbox.sealNewPatches(tx, copy.tables)
      return this.#squashNew(tx, copy, await this.#readUnsent(tx))
    }
    return this.#squashNew(tx, copy, found)
  }

  async #squashNew(tx: Executor, copy: Copy, found: UnsentMutations): Promise<UnsentMutations> {
    const tabs = new Map(found.fresh.flatMap(({ counter, origin, tab }) => (isEdit(origin) ? [[counter, tab]] : [])))
    this.#history.noteWrites(
      copy,
      found.writes.flatMap((write) => {
        const tab = tabs.get(write.counter)
        return tab === undefined ? [] : [{ ...write, tab }]
      }),
    )
    const { squashes, after } = squashUnsent(found, copy.tables)
    for (const one of squashes) await keepSquash(tx, one)
    this.#after = after
    this.#seen = found.last
    if (squashes.length === 0) return found
    this.#onSquashed()
    return this.#readUnsent(tx)
  }
}

/** Answers the journal's records of the requests that leave. */
async function frozenRecords(
  tx: Executor,
  requests: readonly (Sendable & { readonly counter: number })[],
): Promise<FrozenRecord[]> {
  if (requests.length === 0) return []
  const squashed = await readSquashed(
    tx,
    requests.map(({ counter }) => counter),
  )
  return requests.map(({ counter, text, predicted }) => ({
    t: 'frozen',
    counter,
    request: text,
    predicted: predicted && JSON.stringify(predicted),
    took: squashed.get(counter) ?? [],
  }))
}
