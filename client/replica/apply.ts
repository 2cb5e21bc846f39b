import {
  type Change,
  type Lsn,
  type MarkedChange,
  maxLsn,
  TidemarkError,
  toTidemarkError,
} from '../../protocol/index.ts'
import { isMarkedChange } from '../connection/frame-reader.ts'
import { decodeChanges, type Incoming, noteOf, type OwnNote } from '../mutations/decode-transactions.ts'
import type { LocalStore } from '../mutations/local-store.ts'
import {
  applyUnderPending,
  applyWithAllUndone,
  noteOutcomesAside,
  passNumbers,
  withAllUndone,
  withAllUndoneForJoin,
} from '../rebase/apply-under-pending.ts'
import { Rebase } from '../rebase/rebase.ts'
import { scopeOf } from '../rebase/rebase-scope.ts'
import { type Copy, type Executor, isShown } from '../store/copies.ts'
import { moveCursor } from '../store/rows/copy-rows.ts'
import { deleteParts, readPartPositions, readPartText } from '../store/rows/message-parts.ts'
import { readPredictions } from '../store/rows/mutation-rows.ts'
import { readWritersBeyond } from '../store/rows/write-rows.ts'
import { withServerRows } from '../store/server-rows.ts'
import { storageFault } from '../store/storage-fault.ts'
import { applyRows, Tally } from './apply-rows.ts'
import { joinAddition, joinCopy, joinRenewal } from './join.ts'
import { fenceOf, mayJoin } from './join-fence.ts'
import type { Phase } from './rules/plan-versions.ts'
import { type RedoHost, stepToVersion } from './step-version.ts'

/** The result of one apply. */
export interface Applied {
  readonly copy: Copy
  /** Granted audiences on their way to the copy; null when there are none, or when they have joined it. */
  readonly addition: Copy | null
  readonly changes: number
  /** The reason why a version's steps failed, so that their tables are behind now; null where all went well. */
  readonly missed: string | null
}

/** The audiences and tables that a transaction may concern besides the copy's own. */
export interface Granted {
  /** Audiences that are granted, and no part of the copy yet. */
  readonly audiences: ReadonlySet<string>
  /** The copy with their rows, once they are loaded, or with those of tables that are loaded anew. */
  readonly addition: Copy | null
  /** Later versions on their way to what is shown; until they are there, no audience is granted. */
  readonly renewal: Renewing | null
}

/** The rest of the way from one version of the definition to a later one. */
export interface Renewing {
  /** Versions that the cursor has not reached, in order. */
  readonly phases: readonly Phase[]
  /** Ids of the tables that are loaded anew, in the last version. */
  readonly renewed: ReadonlySet<string>
}

export const NOTHING_GRANTED: Granted = { audiences: new Set(), addition: null, renewal: null }

/**
 * Applies transactions and moves the cursor to `to`, in one database transaction; a copy that reaches its fences joins,
 * and one that reaches the place of `phase` steps to that version.
 *
 * Throws `rehydrate-required` when the rows contradict the stream, `storage` when the device refuses to write.
 */
export function applyTransactions(
  store: LocalStore,
  copy: Copy,
  transactions: readonly Incoming[],
  to: Lsn,
  granted: Granted = NOTHING_GRANTED,
  phase: Phase | null = null,
): Promise<Applied> {
  return applyInTransaction(store, copy, to, granted, phase, {
    async onCopy(tx, hasPending) {
      const all = transactionsFor(copy, copy, transactions, granted)
      const wanted = hasPending ? await holdBackRenewed(tx, copy, all, granted) : all
      if (!hasPending || !isShown(copy)) {
        await passNumbers(tx, wanted)
        if (hasPending) await noteOutcomesAside(tx, wanted)
        return applyRows(tx, copy, wanted)
      }
      const rebase = await Rebase.open(tx, scopeOf(copy, store.actions))
      // A mutation that is pending here has its number from here.
      const isForeign = ({ own }: Incoming) => own !== null && rebase.findPending(own.counter) === null
      await passNumbers(tx, wanted.filter(isForeign))
      const tally = await applyUnderPending(tx, rebase, copy.tables, wanted, {
        apply: (some) => applyRows(tx, copy, some),
        countExact: (counted, exact) => counted.count(exact),
      })
      tally.move(rebase.moved)
      return tally
    },
    onAddition: (tx, addition) => applyRows(tx, addition, transactionsFor(addition, copy, transactions, granted)),
  })
}

/** Answers the changes for `target`: the copy itself, or the granted audiences or tables loaded anew beside it. */
function transactionsFor(
  target: Copy,
  copy: Copy,
  transactions: readonly Incoming[],
  { audiences, renewal }: Granted,
): readonly Incoming[] {
  const beyond = transactions.filter(({ lsn }) => lsn > target.cursor)
  const isExcepted = (table: string) => table in target.refused || target.behind.has(table)
  const hasExceptions = target.behind.size > 0 || Object.keys(target.refused).length > 0
  if (audiences.size === 0 && renewal === null && !hasExceptions) return beyond
  const isFor = ({ audience, table }: Change) => {
    if (isExcepted(table)) return false
    if (renewal) return target === copy || renewal.renewed.has(table)
    return audience === null || audiences.has(audience) === (target !== copy)
  }
  return beyond.map((one) => ({ ...one, changes: one.changes.filter(isFor) }))
}

/** Keeps the outcomes of own mutations that wrote tables behind until those join: until then only pending work has their rows. */
async function holdBackRenewed(
  tx: Executor,
  { tables, behind }: Copy,
  transactions: readonly Incoming[],
  { renewal }: Granted,
): Promise<readonly Incoming[]> {
  const counters = transactions.flatMap(({ own }) => (own && !own.rejection ? [own.counter] : []))
  if (renewal === null || behind.size === 0 || counters.length === 0) return transactions
  const followed = new Set([...tables.keys()].filter((id) => !behind.has(id)))
  const held = await readWritersBeyond(tx, counters, followed)
  const isHeld = ({ own }: Incoming) => own !== null && !own.rejection && held.has(own.counter)
  await noteOutcomesAside(tx, transactions.filter(isHeld))
  return transactions.map((one) => (isHeld(one) ? { ...one, own: null } : one))
}

/** Applies the transaction whose parts are staged, part by part, so that its size needs no memory. */
export function applyStagedParts(
  store: LocalStore,
  copy: Copy,
  transaction: { readonly lsn: Lsn; readonly xid: string },
  granted: Granted = NOTHING_GRANTED,
  phase: Phase | null = null,
): Promise<Applied> {
  return applyInTransaction(store, copy, transaction.lsn, granted, phase, {
    async onCopy(tx, hasPending) {
      const own = await ownOfParts(tx)
      await passNumbers(tx, [{ lsn: transaction.lsn, own }])
      const whole = { ...transaction, committedAt: '', changes: [], own }
      const [shown = whole] = hasPending ? await holdBackRenewed(tx, copy, [whole], granted) : [whole]
      const apply = () => applyParts(tx, copy, copy, { ...transaction, own }, granted)
      if (hasPending && !isShown(copy)) await noteOutcomesAside(tx, [shown])
      if (!hasPending || !isShown(copy)) return dropUnless(granted, tx, await apply())
      const rebase = await Rebase.open(tx, scopeOf(copy, store.actions))
      const tally = await applyWithAllUndone(rebase, shown, apply)
      tally.move(rebase.moved)
      return dropUnless(granted, tx, tally)
    },
    async onAddition(tx, addition) {
      const own = await ownOfParts(tx)
      const tally = await applyParts(tx, addition, copy, { ...transaction, own }, granted)
      await deleteParts(tx)
      return tally
    },
  })
}

/** Drops the staged parts, unless granted audiences on their way have yet to read them. */
async function dropUnless({ addition }: Granted, tx: Executor, tally: Tally): Promise<Tally> {
  if (addition === null) await deleteParts(tx)
  return tally
}

async function readPart(tx: Executor, position: number): Promise<MarkedChange[]> {
  const changes: unknown = JSON.parse(await readPartText(tx, position))
  if (Array.isArray(changes) && changes.every(isMarkedChange)) return changes
  throw new TidemarkError('corrupt', 'A change in fragments is none; reconnecting.')
}

async function ownOfParts(tx: Executor): Promise<OwnNote | null> {
  return noteOf(await readPart(tx, 0))
}

async function applyParts(
  tx: Executor,
  target: Copy,
  copy: Copy,
  transaction: { readonly lsn: Lsn; readonly xid: string; readonly own: OwnNote | null },
  granted: Granted,
): Promise<Tally> {
  const counted = new Tally()
  const { lsn, own } = transaction
  const predictions = await readPredictions(tx, own ? [own.counter] : [])
  for (const position of await readPartPositions(tx)) {
    const changes = decodeChanges(lsn, await readPart(tx, position), own, predictions, copy.tables)
    const part = { ...transaction, committedAt: '', changes }
    counted.add(await applyRows(tx, target, transactionsFor(target, copy, [part], granted)))
  }
  return counted
}

interface Work {
  onCopy(tx: Executor, hasPending: boolean): Promise<Tally>
  onAddition(tx: Executor, addition: Copy): Promise<Tally>
}

async function applyInTransaction(
  { db, actions, warn }: LocalStore,
  copy: Copy,
  to: Lsn,
  { addition, renewal }: Granted,
  phase: Phase | null,
  work: Work,
): Promise<Applied> {
  try {
    return await withServerRows(db, async (tx, hasPending) => {
      const tally = await work.onCopy(tx, hasPending)
      const added = addition && (await work.onAddition(tx, addition))
      const moved = { ...copy, cursor: maxLsn(copy.cursor, to), rows: copy.rows + tally.rows }
      const touched = copy.place === 'live' ? [...tally.touched] : []
      await moveCursor(tx, moved, touched)
      const changes = tally.changes + (added?.changes ?? 0)
      const joining = { actions, warn, hasPending }
      const { copy: stepped, missed } = phase
        ? await stepToVersion(tx, moved, phase, joining)
        : { copy: moved, missed: null }
      if (addition && added) {
        const beside = { ...addition, cursor: maxLsn(addition.cursor, to), rows: addition.rows + added.rows }
        const isAhead = renewal?.phases.some((ahead) => ahead !== phase) === true
        if (isAhead || !mayJoin(beside, copy, to)) return { copy: stepped, addition: beside, changes, missed }
        const joined = await joinBeside(tx, stepped, beside, renewal, joining)
        return { copy: joined, addition: null, changes, missed }
      }
      const whole = copy.stage === 'window' && to >= fenceOf(copy)
      return { copy: whole ? await joinCopy(tx, stepped, { actions, warn }) : stepped, addition: null, changes, missed }
    })
  } catch (error) {
    throw applyFault(error)
  }
}

async function joinBeside(
  tx: Executor,
  live: Copy,
  beside: Copy,
  renewal: Renewing | null,
  { actions, warn, hasPending }: RedoHost,
): Promise<Copy> {
  if (renewal !== null) {
    const renewing = () => joinRenewal(tx, live, beside, renewal.renewed, warn)
    return hasPending ? withAllUndoneForJoin(tx, live, actions, renewing) : renewing()
  }
  const joining = () => joinAddition(tx, live, beside)
  return hasPending ? withAllUndone(tx, live, actions, joining) : joining()
}

function applyFault(error: unknown): TidemarkError {
  if (error instanceof TidemarkError) return error
  const noRoom = storageFault(error)
  if (noRoom) return noRoom
  const message = error instanceof Error ? error.message : String(error)
  if (/closed|terminated/i.test(message)) return toTidemarkError(error, 'unavailable')
  return new TidemarkError('rehydrate-required', `The replica cannot take the server’s rows: ${message}`, {
    cause: error,
  })
}
