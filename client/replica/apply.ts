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
import { applyStatement } from '../store/rows/statement-applied.ts'
import { readWritersBeyond } from '../store/rows/write-rows.ts'
import { withServerRows } from '../store/server-rows.ts'
import { storageFault } from '../store/storage-fault.ts'
import { applyRows, planStatement, Tally } from './apply-rows.ts'
import { type Granted, NOTHING_GRANTED, type Renewing } from './granted.ts'
import { joinAddition, joinCopy, joinRenewal } from './join.ts'
import { fenceOf, mayJoin } from './join-fence.ts'
import { loadSeldomParts } from './load-seldom-parts.ts'
import type { Phase } from './rules/plan-versions.ts'
import { splitAtVersions } from './rules/split-versions.ts'
import type { RedoHost } from './step-version.ts'

/** The result of one apply. */
export interface Applied {
  readonly copy: Copy
  /** Granted audiences on their way to the copy; null when there are none, or when they have joined it. */
  readonly addition: Copy | null
  readonly changes: number
  /** The reason why a version's steps failed, so that their tables are behind now; null where all went well. */
  readonly missed: string | null
}

/** What came by one version, and the version that comes in force after it; null after the last. */
export interface Stretch {
  readonly transactions: readonly Incoming[]
  readonly phase: Phase | null
}

/**
 * Applies transactions and moves the cursor to `to`, in one database transaction; a copy that reaches its fences joins.
 *
 * Throws `rehydrate-required` when the rows contradict the stream, `storage` when the device refuses to write.
 */
export function applyTransactions(
  store: LocalStore,
  copy: Copy,
  transactions: readonly Incoming[],
  to: Lsn,
  granted: Granted = NOTHING_GRANTED,
): Promise<Applied> {
  return applyAtOnce(store, copy, transactions, to, granted).then(
    (applied) => applied ?? applyStretches(store, copy, [{ transactions, phase: null }], to, granted),
  )
}

/** More changes than these are planned once, by the longer way, whose own statements are few beside them. */
const SMALL_CHANGES = 32

/** Applies changes of others that are one statement by one call of the database; null where they need the longer way. Rule APP-R22. */
async function applyAtOnce(
  { db }: LocalStore,
  copy: Copy,
  transactions: readonly Incoming[],
  to: Lsn,
  granted: Granted,
): Promise<Applied | null> {
  const isPlain = isShown(copy) && granted.addition === null && granted.renewal === null
  const changes = transactions.reduce((sum, one) => sum + one.changes.length, 0)
  if (!isPlain || changes === 0 || changes > SMALL_CHANGES || transactions.some(({ own }) => own !== null)) return null
  try {
    const planned = planStatement(copy, transactionsFor(copy, copy, transactions, granted))
    if (planned === null) return null
    const cursor = maxLsn(copy.cursor, to)
    const applied = { ...copy, cursor, rows: copy.rows + planned.tally.rows }
    if (!(await applyStatement(db, planned.statement, applied))) return null
    return { copy: applied, addition: null, changes: planned.tally.changes, missed: null }
  } catch (error) {
    throw applyFault(error)
  }
}

/** Does the same with stretches between which the copy steps to other versions. */
export async function applyStretches(
  store: LocalStore,
  copy: Copy,
  stretches: readonly Stretch[],
  to: Lsn,
  granted: Granted,
): Promise<Applied> {
  const [{ phase, transactions } = { phase: null, transactions: [] }] = stretches
  const isAlone =
    stretches.length === 1 && transactions.every(({ changes, own }) => changes.length === 0 && own === null)
  if (phase !== null && isAlone && isShown(copy) && granted.addition === null) {
    const { stepAtOnce } = await loadSeldomParts()
    const stepped = await stepAtOnce(store.db, { ...copy, cursor: maxLsn(copy.cursor, to) }, phase)
    if (stepped !== null) return { copy: stepped, addition: null, changes: 0, missed: null }
  }
  const work = stretches.map(({ transactions, phase }) => ({
    phase,
    ...workOf(store, transactions, granted),
  }))
  return applyInTransaction(store, copy, to, granted, work)
}

function workOf(store: LocalStore, transactions: readonly Incoming[], granted: Granted): Work {
  return {
    async onCopy(tx, copy, hasPending) {
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
      return tally
    },
    onAddition: (tx, copy, addition) => applyRows(tx, addition, transactionsFor(addition, copy, transactions, granted)),
  }
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
  phases: readonly Phase[] = [],
): Promise<Applied> {
  const versions = phases.map(({ version }) => version.version)
  const work = [...phases, null].map((phase, stretch) => ({
    phase,
    ...workOfParts(store, { ...transaction, versions, stretch }, granted),
  }))
  return applyInTransaction(store, copy, transaction.lsn, granted, work, deleteParts)
}

/** A stretch, counted from 0, of the transaction whose parts are staged. */
interface StagedStretch {
  readonly lsn: Lsn
  readonly xid: string
  /** The versions that come in force within it, or at its end. */
  readonly versions: readonly number[]
  readonly stretch: number
}

function workOfParts(store: LocalStore, { lsn, xid, versions, stretch }: StagedStretch, granted: Granted): Work {
  const apply = (tx: Executor, target: Copy, copy: Copy, own: OwnNote | null) =>
    applyParts(tx, target, copy, { lsn, xid, versions, stretch, own }, granted)
  return {
    async onCopy(tx, copy, hasPending) {
      const own = await ownOfParts(tx)
      await passNumbers(tx, [{ lsn, own }])
      const whole = { lsn, xid, committedAt: '', changes: [], own }
      const [shown = whole] = hasPending ? await holdBackRenewed(tx, copy, [whole], granted) : [whole]
      if (hasPending && !isShown(copy)) await noteOutcomesAside(tx, [shown])
      if (!hasPending || !isShown(copy)) return await apply(tx, copy, copy, own)
      const rebase = await Rebase.open(tx, scopeOf(copy, store.actions))
      return await applyWithAllUndone(rebase, shown, () => apply(tx, copy, copy, own))
    },
    onAddition: async (tx, copy, addition) => apply(tx, addition, copy, await ownOfParts(tx)),
  }
}

async function readPart(tx: Executor, position: number): Promise<MarkedChange[]> {
  return changesOf(await readPartText(tx, position))
}

function changesOf(text: string): MarkedChange[] {
  const changes: unknown = JSON.parse(text)
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
  { lsn, xid, versions, stretch, own }: StagedStretch & { readonly own: OwnNote | null },
  granted: Granted,
): Promise<Tally> {
  const counted = new Tally()
  const predictions = await readPredictions(tx, own ? [own.counter] : [])
  let at = 0
  for (const position of await readPartPositions(tx)) {
    const text = await readPartText(tx, position)
    // A part of another stretch is not worth being parsed.
    if (at !== stretch && !text.includes(VERSION_NOTE)) continue
    const stretches = splitAtVersions(changesOf(text), versions.slice(at))
    const wanted = stretches[stretch - at] ?? []
    at += stretches.length - 1
    const part = { lsn, xid, own, committedAt: '', changes: decodeChanges(lsn, wanted, own, predictions, copy.tables) }
    counted.add(await applyRows(tx, target, transactionsFor(target, copy, [part], granted)))
    if (at > stretch) break
  }
  return counted
}

const VERSION_NOTE = '{"o":"v"'

/**
 * What one stretch does to the copy, and to what is on its way to it.
 *
 * The file is long because transactions that came whole and those that are staged in parts do the same in one local
 * transaction: rows, pending work, cursor, versions and what joins.
 */
interface Work {
  onCopy(tx: Executor, copy: Copy, hasPending: boolean): Promise<Tally>
  onAddition(tx: Executor, copy: Copy, addition: Copy): Promise<Tally>
}

async function applyInTransaction(
  { db, actions, warn }: LocalStore,
  copy: Copy,
  to: Lsn,
  { addition, renewal }: Granted,
  stretches: readonly (Work & { readonly phase: Phase | null })[],
  finish: (tx: Executor) => Promise<void> = async () => {},
): Promise<Applied> {
  // Loaded before the transaction begins, in which nothing waits for the network. Rule PRF-R2.
  const isSeldom = stretches.some(({ phase }) => phase !== null) || renewal !== null || copy.place === 'aside'
  const stepping = isSeldom ? await loadSeldomParts() : null
  try {
    return await withServerRows(db, async (tx, hasPending) => {
      const joining = { actions, warn, hasPending }
      let stepped = copy
      let missed: string | null = null
      let changes = 0
      const added = new Tally()
      for (const [index, { phase, ...work }] of stretches.entries()) {
        const isLast = index === stretches.length - 1
        const before = stepped
        const tally = await work.onCopy(tx, before, hasPending)
        changes += tally.changes
        if (addition) added.add(await work.onAddition(tx, before, addition))
        // What is at `to` is above the cursor until all of it is applied.
        const cursor = isLast ? maxLsn(copy.cursor, to) : copy.cursor
        stepped = { ...before, cursor, rows: before.rows + tally.rows }
        if (phase === null || stepping === null) {
          await moveCursor(tx, stepped)
          continue
        }
        const step = await stepping.stepToVersion(
          tx,
          stepped,
          missed === null ? phase : stepping.planAnew(stepped, copy.cursor, phase),
          joining,
        )
        stepped = step.copy
        missed ??= step.missed
      }
      await finish(tx)
      changes += added.changes
      if (addition) {
        const beside = { ...addition, cursor: maxLsn(addition.cursor, to), rows: addition.rows + added.rows }
        const isAhead = renewal?.phases.some((ahead) => stretches.every(({ phase }) => phase !== ahead)) === true
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
    if (!hasPending) return (await renewing()).copy
    return withAllUndoneForJoin(tx, live, actions, renewing)
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
