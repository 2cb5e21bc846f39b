import type { Lsn, Rejection } from '../../protocol/index.ts'
import type { Incoming, OwnNote } from '../mutations/decode-transactions.ts'
import type { ActionRunner } from '../mutations/run-action.ts'
import type { Copy, Executor } from '../store/copies.ts'
import type { ReplicaTables } from '../store/replica-table.ts'
import { keepOutcomesAside, readOutcomesAside } from '../store/rows/outcome-rows.ts'
import { passNumber } from '../store/rows/owner-row.ts'
import { readWritesAndSharing } from '../store/rows/write-rows.ts'
import { rowId } from '../store/rules/captured-write.ts'
import { storageFault } from '../store/storage-fault.ts'
import { Rebase } from './rebase.ts'
import { scopeOf } from './rebase-scope.ts'
import { isExact } from './rules/exact-confirmation.ts'
import { isLeftToPush, isOfKeys } from './rules/left-to-push.ts'
import { type IncomingRows, incomingRows, touchedRows } from './touched-rows.ts'

/** The caller's functions that bring the server's changes into the tables. */
export interface Applying<Result> {
  /** Applies transactions; it may be called again after its work was undone. */
  apply(transactions: readonly Incoming[]): Promise<Result>
  /** Counts transactions that need no applying, because their rows stand there already. */
  countExact(result: Result, exact: readonly Incoming[]): void
}

/**
 * Applies transactions under pending work: work that they touch is undone before and done again after.
 *
 * Rules RBS-R1 to RBS-R4.
 */
export async function applyUnderPending<Result>(
  tx: Executor,
  rebase: Rebase,
  tables: ReplicaTables,
  transactions: readonly Incoming[],
  { apply, countExact }: Applying<Result>,
): Promise<Result> {
  const all = incomingRows(transactions, tables)
  const exact = await findExact(tx, rebase, tables, all)
  await rebase.confirmMutations(confirmations(exact))
  const rest =
    exact.size === 0
      ? all
      : incomingRows(
          transactions.filter((one) => !exact.has(one)),
          tables,
        )
  const ends = await endsOf(rebase, rest.transactions)
  const result = await applyRest(tx, rebase, tables, rest, ends, apply)
  countExact(result, [...exact])
  return result
}

/** A transaction as far as it ends a mutation. */
type EndingTransaction = Pick<Incoming, 'lsn' | 'own'>

interface MutationEnds {
  readonly confirmed: readonly { readonly counter: number; readonly lsn: Lsn }[]
  readonly failed: ReadonlyMap<number, Rejection>
}

function confirmations(transactions: Iterable<EndingTransaction>): { counter: number; lsn: Lsn }[] {
  return [...transactions].flatMap(({ lsn, own }) => (own && !own.rejection ? [{ counter: own.counter, lsn }] : []))
}

/** Answers the mutations that these transactions end. A number never sent from here is another replica's. */
async function endsOf(rebase: Rebase, transactions: readonly EndingTransaction[]): Promise<MutationEnds> {
  const isSent = ({ own }: EndingTransaction) => own !== null && rebase.findPending(own.counter)?.attempted === true
  const ending = transactions.filter(isSent)
  const rejections = ending.flatMap(({ own }): [number, Rejection][] =>
    own?.rejection ? [[own.counter, own.rejection]] : [],
  )
  const failing = new Set(rejections.filter(([, rejection]) => !isOfKeys(rejection)).map(([counter]) => counter))
  // One that builds on a mutation which is pending still falls with it, or is made anew with it.
  const isLeft = (on: number) => !failing.has(on) && rebase.findPending(on) !== null
  const rejected = rejections.filter(([, rejection]) => !isLeftToPush(rejection, isLeft))
  return { confirmed: confirmations(ending), failed: await rebase.withDependents(new Map(rejected)) }
}

async function applyRest<Result>(
  tx: Executor,
  rebase: Rebase,
  tables: ReplicaTables,
  what: IncomingRows,
  { confirmed, failed }: MutationEnds,
  apply: Applying<Result>['apply'],
): Promise<Result> {
  const { transactions } = what
  const ended = new Set([...confirmed.map(({ counter }) => counter), ...failed.keys()])
  if (what.isEmpty && ended.size === 0) return apply(transactions)
  const from = new Set([...ended, ...rebase.ineffective])
  let undone = new Set<number>()
  // An action may have read any row.
  if (!what.isEmpty && rebase.hasActionsBeside(ended)) undone = rebase.counters
  else {
    const touched = await touchedRows(tx, what, tables)
    if (touched.size > 0 || from.size > 0) undone = await rebase.findToUndo((row) => touched.has(row), from)
  }
  const done = await undoAndApply(tx, rebase, undone, () => apply(transactions))
  await rebase.confirmMutations(confirmed)
  await rebase.failMutations(failed)
  await rebase.redoMutations(done.undone)
  if (done.undone.size > 0 && !done.isAll && !(await rebase.areWritesInOrder())) await rebase.redoAll()
  return done.result
}

/** Undoes some work and applies; where that fails over the work still in place, undoes all of it first. Rule RBS-R3. */
async function undoAndApply<Result>(
  tx: Executor,
  rebase: Rebase,
  undone: Set<number>,
  apply: () => Promise<Result>,
): Promise<{ readonly result: Result; readonly undone: Set<number>; readonly isAll: boolean }> {
  const all = rebase.counters
  if (undone.size < all.size) {
    await tx.exec('SAVEPOINT tidemark_apply')
    try {
      await rebase.undoMutations(undone)
      const result = await apply()
      await tx.exec('RELEASE SAVEPOINT tidemark_apply')
      return { result, undone, isAll: false }
    } catch (error) {
      if (storageFault(error)) throw error
      await tx.exec('ROLLBACK TO SAVEPOINT tidemark_apply; RELEASE SAVEPOINT tidemark_apply')
    }
  }
  await rebase.undoMutations(all)
  return { result: await apply(), undone: all, isAll: true }
}

/**
 * Runs `work` with everything pending undone, and does all of it again on the copy that `work` answers; mutations that
 * it leaves in `failing` fail, with those that build on them.
 */
export async function withAllUndone(
  tx: Executor,
  copy: Copy,
  actions: ActionRunner,
  work: (failing: Map<number, Rejection>) => Promise<Copy>,
): Promise<Copy> {
  const rebase = await Rebase.open(tx, scopeOf(copy, actions))
  const all = rebase.counters
  const failing = new Map<number, Rejection>()
  await rebase.undoMutations(all)
  const result = await work(failing)
  rebase.moveToCopy(result)
  await failEmptied(rebase, failing)
  await rebase.redoMutations(all)
  return result
}

/** Works as `withAllUndone`, and ends the mutations whose rows `work` brings; those of which nothing is left fail. Rule RBS-R7. */
export async function withAllUndoneForJoin(
  tx: Executor,
  copy: Copy,
  actions: ActionRunner,
  work: () => Promise<{ readonly copy: Copy; readonly emptied: ReadonlyMap<number, Rejection> }>,
): Promise<Copy> {
  const rebase = await Rebase.open(tx, scopeOf(copy, actions))
  await rebase.undoMutations(rebase.counters)
  const { copy: result, emptied } = await work()
  rebase.moveToCopy(result)
  await endMutationsKeptAside(tx, rebase, result.cursor)
  await failEmptied(rebase, emptied)
  await rebase.redoMutations(rebase.counters)
  return result
}

/** Works as `applyRebased`, for one transaction with too many changes to be looked at first. */
export async function applyWithAllUndone<Result>(
  rebase: Rebase,
  transaction: { readonly lsn: Lsn; readonly own: OwnNote | null },
  apply: () => Promise<Result>,
): Promise<Result> {
  const all = rebase.counters
  const { confirmed, failed } = await endsOf(rebase, [transaction])
  await rebase.undoMutations(all)
  const result = await apply()
  await rebase.confirmMutations(confirmed)
  await rebase.failMutations(failed)
  await rebase.redoMutations(all)
  return result
}

/** Ends at a join the mutations that the loaded rows hold, and does the rest again on them. Rule RBS-R7. */
export async function redoAtJoin(
  tx: Executor,
  live: Copy,
  actions: ActionRunner,
  emptied: ReadonlyMap<number, Rejection>,
): Promise<void> {
  const rebase = await Rebase.open(tx, scopeOf(live, actions))
  await rebase.forgetWrites()
  await endMutationsKeptAside(tx, rebase, live.cursor)
  await failEmptied(rebase, emptied)
  await rebase.redoMutations(rebase.counters)
}

/** Fails what a version left nothing of, as far as it is still pending, and what builds on it. */
async function failEmptied(rebase: Rebase, emptied: ReadonlyMap<number, Rejection>): Promise<void> {
  const pending = [...emptied].filter(([counter]) => rebase.findPending(counter) !== null)
  await rebase.failMutations(await rebase.withDependents(new Map(pending)))
}

/** Ends the mutations whose outcome came while their rows were still to be joined. */
async function endMutationsKeptAside(tx: Executor, rebase: Rebase, cursor: Lsn): Promise<void> {
  const outcomes = await readOutcomesAside(tx, cursor)
  const known = outcomes.map(({ lsn, counter, rejection }) => ({ lsn, own: { counter, rejection } }))
  const { confirmed, failed } = await endsOf(rebase, known)
  await rebase.confirmMutations(confirmed)
  await rebase.failMutations(failed)
}

/** Keeps for its join the outcomes of own mutations that come in the stream of a copy not shown yet. */
export async function noteOutcomesAside(tx: Executor, transactions: readonly EndingTransaction[]): Promise<void> {
  const known = transactions.flatMap(({ lsn, own }) => (own ? [{ lsn, ...own }] : []))
  if (known.length > 0) await keepOutcomesAside(tx, known)
}

/** Moves the counter past the numbers that another replica with this one's id has used. */
export async function passNumbers(tx: Executor, transactions: readonly EndingTransaction[]): Promise<void> {
  const counters = transactions.flatMap(({ own }) => (own ? [own.counter] : []))
  if (counters.length > 0) await passNumber(tx, Math.max(...counters))
}

/** Finds confirmations whose rows stand as committed and are shared with nobody: no row need move. Rule RBS-R4. */
async function findExact(
  tx: Executor,
  rebase: Rebase,
  tables: ReplicaTables,
  { transactions, rows, emptied }: IncomingRows,
): Promise<Set<Incoming>> {
  const own = transactions.filter(({ own }) => own && !own.rejection && rebase.findPending(own.counter)?.attempted)
  if (own.length === 0 || emptied.size > 0) return new Set()
  const counters = own.flatMap(({ own }) => (own ? [own.counter] : []))
  const { writes, shared } = await readWritesAndSharing(tx, counters)
  return new Set(
    own.filter(({ own, changes }) => {
      const counter = own?.counter ?? 0
      const mine = writes.filter((write) => write.counter === counter)
      const alone = mine.every((write) => rows.get(rowId(write.table, write.key)) === 1)
      return (
        alone &&
        !shared.has(counter) &&
        rebase.findPending(counter)?.effective === true &&
        isExact(changes, mine, tables)
      )
    }),
  )
}
