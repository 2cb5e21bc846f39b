import type { Transaction as PGliteTransaction } from '@electric-sql/pglite'
import type { Actions } from '../../db/define-sync.ts'
import {
  type Lsn,
  type MutationId,
  mutationId,
  type Outcome,
  type OutcomesAnswer,
  type PredictedChange,
  type Rejection,
  TidemarkError,
} from '../../protocol/index.ts'
import { OUTCOME_UNKNOWN, type Recovery } from '../journal/rules/compare-journal.ts'
import { ActionRunner } from '../mutations/run-action.ts'
import { sealNewPatches } from '../mutations/seal-patches.ts'
import { noteOutcomesAside } from '../rebase/apply-under-pending.ts'
import { Rebase } from '../rebase/rebase.ts'
import { scopeOf } from '../rebase/rebase-scope.ts'
import { isLeftToPush } from '../rebase/rules/left-to-push.ts'
import type { CallOrigin } from '../store/call-origin.ts'
import { type Copy, type Executor, isShown } from '../store/copies.ts'
import type { Database } from '../store/database.ts'
import type { ReplicaTables } from '../store/replica-table.ts'
import { parseActionKeys } from '../store/rows/leased-keys.ts'
import { type Predictions, readCalls, readPatches } from '../store/rows/mutation-rows.ts'
import { forgetOutcomes } from '../store/rows/outcome-rows.ts'
import { deleteFailed } from '../store/rows/record-rows.ts'
import { hasSent, readSent } from '../store/rows/sending-rows.ts'
import { NOTIFY_OUTBOX, OUTBOX_CHANNEL, readNotice } from '../store/rules/outbox-notice.ts'
import { withServerRows } from '../store/server-rows.ts'
import { argsOf, type Making, makeAction, makeTransaction } from './make-mutation.ts'
import { outOfKeys } from './out-of-keys.ts'
import { remakeUnderKeys } from './remake-under-keys.ts'
import { type RefusedKey, refusedKeys, refusedKeysOfAction } from './rules/rename-keys.ts'

/** Asks the server what became of these mutations. Rejects with TidemarkError. */
export type OutcomeSource = (counters: readonly number[], signal: AbortSignal) => Promise<OutcomesAnswer>

export interface OutboxOptions {
  readonly db: Database
  readonly clientId: string
  readonly user: string
  readonly syncActions: Actions
  /** Runs an action twice where it is called, and warns where the two differ. */
  readonly development: boolean
  /** The copy that the app sees; null where there is none. */
  readonly shown: () => Copy | null
  readonly askOutcomes: OutcomeSource
  /** Reports objects of the app that could not be carried over. */
  readonly warn: (loss: string) => void
}

/** This many predictions are kept in memory until they are confirmed, which is soon; the database has the others. */
const KEPT_PREDICTIONS = 200

/** An action's call whose arguments are the action's, as JSON. */
interface CheckedCall {
  readonly name: string
  readonly args: string
  readonly making: Making
}

type OutboxListener = (change: ReturnType<typeof readNotice>) => void

/** The outcome of a mutation, learnt otherwise than from the stream. */
export interface KnownOutcome {
  readonly outcome: Outcome
  /** Its commit's place; null where the stream is still to bring it. */
  readonly lsn: Lsn | null
}

/**
 * The app's writes that the stream has not brought back yet: they are made, undone, redone and ended here.
 *
 * The file is long because all that undoes or fails a mutation goes through one rebase of the rows that are shown.
 */
export class Outbox {
  readonly db: Database
  readonly actions: ActionRunner
  readonly warn: (loss: string) => void
  readonly #predictions = new Map<number, readonly PredictedChange[]>()
  readonly #options: OutboxOptions
  readonly #listeners = new Set<OutboxListener>()
  #stopListening: (() => Promise<void>) | null = null

  constructor(options: OutboxOptions) {
    const { db, clientId, user, syncActions: actions } = options
    this.#options = options
    this.db = db
    this.warn = options.warn
    this.actions = new ActionRunner({ db, actions, clientId, user })
  }

  /** The predictions of mutations frozen lately, as they are stored. */
  get predictions(): Predictions {
    return this.#predictions
  }

  forgetPredictions(): void {
    this.#predictions.clear()
  }

  keepPrediction(counter: number, predicted: readonly PredictedChange[]): void {
    this.#predictions.set(counter, predicted)
    const [oldest] = this.#predictions.keys()
    if (this.#predictions.size > KEPT_PREDICTIONS && oldest !== undefined) this.#predictions.delete(oldest)
  }

  /** Listens to changes of mutations from now on. */
  async start(): Promise<void> {
    this.#stopListening = await this.db.listen(OUTBOX_CHANNEL, (notice) => this.#notifyListeners(readNotice(notice)))
  }

  async stop(): Promise<void> {
    this.#listeners.clear()
    await this.#stopListening?.().catch(() => undefined)
  }

  /** Calls back when there are new mutations, or some changed their status; answers the function that ends it. */
  onChange(listener: OutboxListener): () => void {
    this.#listeners.add(listener)
    return () => {
      this.#listeners.delete(listener)
    }
  }

  #notifyListeners(change: ReturnType<typeof readNotice>): void {
    for (const listener of [...this.#listeners]) listener(change)
  }

  /**
   * Runs an action here; it is locally durable when this resolves. Rejects with what the action throws.
   *
   * Throws TidemarkError: `bad-input` where it or its arguments are not known, `unavailable` before the replica is ready,
   * `keys-exhausted` where no key is left for a row that it inserts.
   */
  async runAction(name: string, args: unknown, by: CallOrigin | null = null): Promise<MutationId> {
    const call = this.#callOf(name, args, by)
    return await this.db.transaction((tx) => this.#makeAction(tx, call))
  }

  /** Works as `runAction`, in a transaction that is open, which makes no other mutation. */
  runActionIn(tx: PGliteTransaction, name: string, args: unknown, by: CallOrigin | null): Promise<MutationId> {
    return this.#makeAction(tx, this.#callOf(name, args, by))
  }

  /**
   * Runs `work` as one mutation; `id` is null where it wrote nothing that is synced. Rejects with what it throws.
   *
   * Throws `limit-exceeded` where it wrote more than a mutation may.
   */
  async runTransaction<Result>(
    work: (tx: PGliteTransaction) => Promise<Result>,
    by: CallOrigin | null = null,
  ): Promise<{ readonly id: MutationId | null; readonly result: Result }> {
    const making = this.#makingOnShown(by)
    return await this.db.transaction((tx) => this.#makeTransaction(tx, making, work))
  }

  /** Works as `runTransaction`, in a transaction that is open, which makes no other mutation. */
  runTransactionIn<Result>(
    tx: PGliteTransaction,
    work: (tx: PGliteTransaction) => Promise<Result>,
    by: CallOrigin | null,
  ): Promise<{ readonly id: MutationId | null; readonly result: Result }> {
    return this.#makeTransaction(tx, this.#makingOnShown(by), work)
  }

  /** Fails a mutation, undone with what builds on it; does nothing where it is settled. */
  async failMutation(counter: number, rejection: Rejection): Promise<void> {
    await this.#rebaseShown(async (rebase) => {
      if (!rebase.findPending(counter)) return
      await this.#failWithDependents(rebase, new Map([[counter, rejection]]))
    })
  }

  /** Answers the keys of a mutation's new rows that a refusal is about; none where it is settled, or no copy is shown. */
  async readRefusedKeys(counter: number, rejection: Rejection): Promise<RefusedKey[]> {
    const shown = this.#options.shown()
    if (!shown || !isShown(shown)) return []
    const call = (await readCalls(this.db, [counter])).get(counter)
    if (call) return refusedKeysOfAction(parseActionKeys(call.keys), shown.tables, rejection)
    return refusedKeys((await readPatches(this.db, [counter])).get(counter) ?? [], shown.tables, rejection)
  }

  /**
   * Makes a mutation whose keys were refused anew under others, with what builds on it; answers those that are done away
   * with, and the last that was made, 0 where none was.
   */
  async remakeUnderKeys(
    counter: number,
    rejection: Rejection,
    refused: readonly RefusedKey[],
  ): Promise<{ readonly former: ReadonlySet<number>; readonly last: number }> {
    let remade = { former: new Set<number>(), last: 0 }
    await this.#rebaseShown(async (rebase, tx, shown) => {
      if (!rebase.findPending(counter)) return
      const failed = await rebase.withDependents(new Map([[counter, rejection]]))
      const patches = await readPatches(tx, failed.keys())
      const calls = await readCalls(tx, failed.keys())
      await this.#failWithDependents(rebase, failed)
      const { tables } = shown
      const { clientId } = this.#options
      const last = await remakeUnderKeys(
        { tx, tables, actions: this.actions, clientId },
        { patches, calls, failed },
        refused,
      )
      remade = { former: new Set(failed.keys()), last }
    })
    return remade
  }

  /** Does on the shown rows what the database learnt from its journal; where none are shown, the join does. */
  async finishRecovery({ missing, failed, discarded }: Recovery): Promise<void> {
    const shown = this.#options.shown()
    const isWaiting = missing.filter(({ rejection }) => rejection === null).map(({ made }) => made.counter)
    if (isWaiting.length > 0 && shown && isShown(shown)) {
      await this.#rebaseShown(async (rebase) => {
        await rebase.redoMutations(new Set(isWaiting))
      })
    }
    for (const [counter, rejection] of failed) await this.failMutation(counter, rejection)
    for (const counter of discarded) await this.discardMutation(counter)
  }

  /** Forgets a failed mutation; one that was never attempted is undone first. Throws `bad-input` for any other. */
  async discardMutation(counter: number): Promise<void> {
    await this.#rebaseShown(async (rebase, tx) => {
      const pending = rebase.findPending(counter)
      if (pending && !pending.attempted)
        await this.#failWithDependents(rebase, new Map([[counter, { kind: 'refused', message: 'It was discarded.' }]]))
      if (!(await deleteFailed(tx, counter)))
        throw new TidemarkError('bad-input', 'Only a mutation that failed or was never sent can be discarded.')
      await tx.exec(NOTIFY_OUTBOX)
    })
  }

  /** Gives new patches their rows and bases, from what was captured. A second call does nothing. */
  sealNewPatches(tx: Executor, tables: ReplicaTables): Promise<void> {
    return sealNewPatches(tx, tables)
  }

  /** Asks for the outcomes of sent mutations, which the stream of a copy just loaded may no longer bring. */
  async askOutcomesBeforeJoin(epoch: string, signal: AbortSignal): Promise<void> {
    const asked = await readSent(this.db)
    if (asked.length === 0) return
    const answer = await this.#options.askOutcomes(asked, signal)
    if (answer.epoch !== epoch)
      throw new TidemarkError('unavailable', 'The history changed while a copy was loaded; trying again.')
    const known = new Set(answer.outcomes.map(({ outcome }) => outcome.counter))
    await this.#forgetUnknown(asked.filter((counter) => !known.has(counter)))
    await this.keepOutcomesForJoin(answer.outcomes)
  }

  /** Forgets answers that the server no longer knows, so that it is sent these again: its database was put back. */
  async #forgetUnknown(unknown: readonly number[]): Promise<void> {
    if (unknown.length > 0) await forgetOutcomes(this.db, unknown)
  }

  /** Fails rejected mutations, and notes commits for the join of the copy being loaded: it ends those it holds. */
  async keepOutcomesForJoin(known: readonly KnownOutcome[]): Promise<void> {
    const committed = known.flatMap(({ outcome: { counter, status }, lsn }) =>
      status === 'committed' && lsn !== null ? [{ lsn, own: { counter, rejection: null } }] : [],
    )
    await this.db.transaction((tx) => noteOutcomesAside(tx, committed))
    await this.failUncommitted(known.map(({ outcome }) => outcome))
  }

  /**
   * Fails all but the committed, and those whose keys alone were refused, with what builds on them: the answer to their
   * push has them made anew. One that is settled for the server and unsettled here shows a storage
   * set back.
   */
  async failUncommitted(outcomes: readonly Outcome[]): Promise<void> {
    const left = new Set<number>()
    for (const outcome of outcomes) {
      if (outcome.status === 'rejected' && isLeftToPush(outcome.rejection, (on) => left.has(on)))
        left.add(outcome.counter)
      else if (outcome.status === 'rejected') await this.failMutation(outcome.counter, outcome.rejection)
      if (outcome.status === 'settled') await this.failMutation(outcome.counter, OUTCOME_UNKNOWN)
    }
  }

  /** Answers whether a mutation was sent whose outcome the stream has not brought. */
  hasUnsettledSent(): Promise<boolean> {
    return hasSent(this.db)
  }

  async #rebaseShown(work: (rebase: Rebase, tx: Executor, shown: Copy) => Promise<void>): Promise<void> {
    await withServerRows(this.db, async (tx) => {
      const shown = this.#options.shown()
      if (shown) await work(await Rebase.open(tx, scopeOf(shown, this.actions)), tx, shown)
    })
  }

  /** Undoes and fails these with all that builds on them; on a copy that is about to be replaced nothing is moved. */
  async #failWithDependents(rebase: Rebase, failed: ReadonlyMap<number, Rejection>): Promise<void> {
    const all = await rebase.withDependents(failed)
    const shown = this.#options.shown()
    if (!shown || !isShown(shown)) {
      await rebase.failMutations(all)
      return
    }
    const undone = await rebase.findToUndo(() => false, new Set([...all.keys(), ...rebase.ineffective]))
    await rebase.undoMutations(undone)
    await rebase.failMutations(all)
    await rebase.redoMutations(undone)
    if (!(await rebase.areWritesInOrder())) await rebase.redoAll()
  }

  #callOf(name: string, args: unknown, by: CallOrigin | null): CheckedCall {
    return { name, args: argsOf(this.actions, name, args), making: this.#makingOnShown(by) }
  }

  async #makeAction(tx: PGliteTransaction, { name, args, making }: CheckedCall): Promise<MutationId> {
    try {
      return this.#idOf(await makeAction(tx, making, name, args))
    } catch (error) {
      throw outOfKeys(error) ?? error
    }
  }

  async #makeTransaction<Result>(
    tx: PGliteTransaction,
    making: Making,
    work: (tx: PGliteTransaction) => Promise<Result>,
  ) {
    const { counter, result } = await makeTransaction(tx, making, work)
    return { id: counter === null ? null : this.#idOf(counter), result }
  }

  #idOf(counter: number): MutationId {
    return mutationId(this.#options.clientId, counter)
  }

  /** Throws `unavailable` before the replica is ready. */
  #makingOnShown(by: CallOrigin | null): Making {
    const shown = this.#options.shown()
    if (!shown || !isShown(shown))
      throw new TidemarkError('unavailable', 'The replica is not loaded yet: await replica.ready before writing.')
    return { tables: shown.tables, actions: this.actions, development: this.#options.development, by }
  }
}
