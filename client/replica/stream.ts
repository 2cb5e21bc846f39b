import {
  type Batch,
  type Fragment,
  type Lsn,
  maxLsn,
  type Part,
  TidemarkError,
  toTidemarkError,
  type WireTransaction,
  ZERO_LSN,
} from '../../protocol/index.ts'
import type { DataFrame, StreamFrame } from '../connection/connection.ts'
import { decodeTransactions, type Incoming, UnknownPrediction } from '../mutations/decode-transactions.ts'
import type { LocalStore } from '../mutations/local-store.ts'
import type { Copy } from '../store/copies.ts'
import { deleteParts, stagePiece } from '../store/rows/message-parts.ts'
import { storageFault } from '../store/storage-fault.ts'
import { type Applied, applyStagedParts, applyStretches, applyTransactions, type Stretch } from './apply.ts'
import { type Granted, NOTHING_GRANTED, type Renewing } from './granted.ts'
import { fenceOf, mayJoin } from './join-fence.ts'
import { purgeAudiences } from './purge-audiences.ts'
import type { Phase } from './rules/plan-versions.ts'
import { splitAtVersions } from './rules/split-versions.ts'

/** Frames waiting are joined into one database transaction up to this many characters. */
const JOIN_CHARACTERS = 2 * 1024 * 1024
/** A cursor that moved over nothing is written at most this often: losing it costs nothing. */
const EMPTY_CURSOR_MS = 5_000

interface Waiting {
  readonly frame: StreamFrame
  /** Characters received on the socket up to and including this frame. */
  readonly received: number
}

export interface StreamHost {
  onApplied(applied: Applied, head: Lsn): void
  acknowledge(received: number, cursor: Lsn): void
  /** The session's audiences changed: rows of lost ones are gone, `granted` are to be loaded. */
  onRightsChanged(copy: Copy, audiences: readonly string[], granted: readonly string[]): void
  /** Asks the server to begin the stream anew, own mutations as rows up to `rowsTo`; it answers with a `restarted` frame. */
  restartStream(epoch: string, from: Lsn, rowsTo: Lsn | null): void
  onFailed(error: TidemarkError, copy: Copy): void
}

/**
 * Applies frames one database transaction at a time, in order; what arrives meanwhile waits its turn.
 *
 * It is long because all of it reads and moves one place in the stream: frames, parts, restarts, rights and versions.
 */
export class Stream {
  #store: LocalStore
  #host: StreamHost
  #queue: Waiting[] = []
  #copy: Copy | null = null
  /** The place that frames processed so far reach; behind the copy's cursor while granted audiences catch up with it. */
  #position: Lsn = ZERO_LSN
  #granted: Granted = NOTHING_GRANTED
  /** Restarts asked for and not yet answered: frames that come before belong to an earlier stream. */
  #restartsOwed = 0
  /** The place up to which own mutations were asked for as rows. */
  #rowsTo: Lsn = ZERO_LSN
  #run = 0
  #working: Promise<void> = Promise.resolve()
  #busy = false
  #durable: Lsn | null = null
  #durableAtMs = 0
  /** The place of the next part or fragment of an unfinished transaction; null outside of one. */
  #parts: { readonly lsn: Lsn; readonly index: number; readonly piece: number } | null = null

  constructor(store: LocalStore, host: StreamHost) {
    this.#store = store
    this.#host = host
  }

  /** Applies frames to this copy from now on, and later versions at their places; `prepare` runs before the first. */
  start(copy: Copy, prepare: (copy: Copy) => Promise<Copy>, renewal: Renewing | null = null): void {
    const run = ++this.#run
    this.#queue = []
    this.#parts = null
    this.#copy = copy
    this.#position = copy.cursor
    this.#granted = { ...NOTHING_GRANTED, renewal }
    this.#restartsOwed = 0
    this.#rowsTo = ZERO_LSN
    this.#durable = copy.cursor
    this.#runInTurn(run, async () => {
      await this.#dropParts()
      this.#copy = await prepare(copy)
    })
  }

  stop(): void {
    this.#run += 1
    this.#queue = []
  }

  /** Resolves when nothing is being applied. */
  whenIdle(): Promise<void> {
    return this.#working
  }

  /** Writes down a cursor that moved over nothing. */
  async flushCursor(): Promise<void> {
    await this.#working
    const copy = this.#copy
    if (copy && copy.cursor !== this.#durable && copy.stage === 'joined')
      await applyTransactions(this.#store, copy, [], copy.cursor)
  }

  /** Lets granted audiences or renewed tables, once loaded, catch up with the copy and join it. */
  joinAddition(addition: Copy): void {
    this.#runInTurn(this.#run, async () => {
      const copy = this.#copy
      const { renewal, audiences } = this.#granted
      const wanted = [...addition.joins.keys()].every((audience) => audiences.has(audience))
      if (!copy || !(wanted || renewal)) return
      this.#granted = { ...this.#granted, addition }
      if (addition.cursor < this.#position) {
        await this.#askRestart(copy, addition.cursor, null)
      } else if (mayJoin(addition, copy, this.#position)) {
        await this.#applyByVersions(copy, [], this.#position, this.#position)
      }
    })
  }

  enqueueFrame(frame: StreamFrame, received: number): void {
    if (this.#copy === null) return
    this.#queue.push({ frame, received })
    if (!this.#busy) this.#runInTurn(this.#run, async () => undefined)
  }

  #runInTurn(run: number, first: () => Promise<void>): void {
    this.#busy = true
    this.#working = this.#working.then(async () => {
      if (run !== this.#run) return
      try {
        await first()
        await this.#processQueue(run)
      } catch (error) {
        if (run !== this.#run) return
        this.#queue = []
        if (this.#copy) this.#host.onFailed(storageFault(error) ?? toTidemarkError(error), this.#copy)
      } finally {
        if (run === this.#run) {
          this.#busy = false
          // A frame may have come between the last look at the queue and here.
          if (this.#queue.length > 0) this.#runInTurn(run, async () => undefined)
        }
      }
    })
  }

  async #processQueue(run: number): Promise<void> {
    while (run === this.#run) {
      const next = this.#queue[0]
      if (!next || !this.#copy) return
      const received = await this.#processFrame(this.#copy, next)
      if (run !== this.#run) return
      if (received !== null) this.#host.acknowledge(received, this.#durable ?? this.#copy.cursor)
    }
  }

  async #processFrame(copy: Copy, { frame, received }: Waiting): Promise<number | null> {
    if (frame.type === 'audiences' || frame.type === 'restarted') {
      this.#queue.shift()
      if (frame.type === 'audiences') await this.#applyAudiences(copy, frame.audiences)
      else this.#acceptRestart(frame.from)
      return received
    }
    if (this.#restartsOwed > 0) {
      this.#queue.shift()
      return received
    }
    if (frame.type === 'batch') return this.#applyBatches(copy)
    await this.#acceptPiece(copy, frame)
    return received
  }

  /** Removes rows that may no longer be seen, at this place in the stream; granted ones are ignored until loaded. */
  async #applyAudiences(copy: Copy, audiences: readonly string[]): Promise<void> {
    if (copy.stage !== 'joined' || this.#granted.renewal)
      throw new TidemarkError('unavailable', 'The rights of this user changed during the load; connecting again.')
    // The transaction that was being received begins anew.
    await this.#dropParts()
    const lost = [...copy.joins.keys()].filter((audience) => !audiences.includes(audience))
    const kept = lost.length === 0 ? copy : await purgeAudiences(this.#store, copy, lost)
    const granted = audiences.filter((audience) => !kept.joins.has(audience))
    this.#copy = kept
    this.#granted = { audiences: new Set(granted), addition: null, renewal: null }
    this.#host.onRightsChanged(kept, audiences, granted)
  }

  async #askRestart(copy: Copy, from: Lsn, rowsTo: Lsn | null): Promise<void> {
    await this.#dropParts()
    this.#restartsOwed += 1
    this.#host.restartStream(copy.epoch, from, rowsTo)
  }

  /** Asks for rows where an own mutation is not known here: a copied profile's, or of a lost outbox. Rule RBS-R8. */
  async #askForRows(copy: Copy, error: unknown, to: Lsn): Promise<void> {
    if (!(error instanceof UnknownPrediction) || error.lsn <= this.#rowsTo) throw error
    this.#rowsTo = to
    await this.#askRestart(copy, this.#position, to)
  }

  #acceptRestart(from: Lsn): void {
    if (this.#restartsOwed === 0) throw new TidemarkError('corrupt', 'The stream began anew unasked; reconnecting.')
    this.#restartsOwed -= 1
    this.#position = from
  }

  async #dropParts(): Promise<void> {
    this.#parts = null
    await deleteParts(this.#store.db)
  }

  /** Joins the batches at the head of the queue and applies them at once. */
  async #applyBatches(copy: Copy): Promise<number | null> {
    const wire: WireTransaction[] = []
    let cursor = this.#position
    let head = copy.cursor
    let received: number | null = null
    const base = this.#queue[0]?.received ?? 0
    for (let next = this.#queue[0]; next?.frame.type === 'batch'; next = this.#queue[0]) {
      if (received !== null && next.received - base > JOIN_CHARACTERS) break
      this.#queue.shift()
      const accepted = acceptBatch(next.frame, cursor, this.#parts !== null)
      for (const transaction of accepted) wire.push(transaction)
      if (next.frame.to > cursor) cursor = next.frame.to
      if (next.frame.head > head) head = next.frame.head
      received = next.received
    }
    try {
      await this.#applyByVersions(copy, wire, cursor, head)
    } catch (error) {
      await this.#askForRows(copy, error, cursor)
    }
    return received
  }

  /** Applies transactions, each by the version in force at its place: a version is a barrier that nothing passes. */
  async #applyByVersions(copy: Copy, wire: readonly WireTransaction[], to: Lsn, head: Lsn): Promise<void> {
    let rest = wire
    for (let phases = this.#phasesUpTo(to); phases[0]; phases = this.#phasesUpTo(to)) {
      const [{ lsn }] = phases
      const before = rest.filter((one) => one.lsn <= lsn)
      rest = rest.slice(before.length)
      const stretches = await this.#stretchesOf(before, phases, lsn)
      const applied = await applyStretches(this.#store, this.#copy ?? copy, stretches, lsn, this.#granted)
      this.#position = maxLsn(this.#position, lsn)
      this.#store.forgetPredictions?.()
      this.#noteApplied(applied, head, true, phases)
    }
    if (to > this.#position || rest.length > 0 || wire.length === 0)
      await this.#applyBetween(this.#copy ?? copy, await this.#decodeTransactions(rest), to, head)
  }

  #decodeTransactions(wire: readonly WireTransaction[]): Promise<Incoming[]> {
    return decodeTransactions(this.#store.db, wire, this.#copy?.tables ?? new Map(), this.#store.predictions)
  }

  /** Divides transactions up to a place at the versions that come in force there, within the transaction that brings them. */
  async #stretchesOf(wire: readonly WireTransaction[], phases: readonly Phase[], lsn: Lsn): Promise<Stretch[]> {
    const last = wire.at(-1)
    const isBringing = last !== undefined && last.lsn === lsn
    const versions = phases.map(({ version }) => version.version)
    const [first = [], ...later] = isBringing ? splitAtVersions(last.changes, versions) : []
    const begun = isBringing ? [...wire.slice(0, -1), { ...last, changes: first }] : wire
    const stretches: Stretch[] = []
    for (const [index, phase] of [...phases, null].entries()) {
      const changes = later[index - 1] ?? []
      const some = index === 0 ? begun : last && changes.length > 0 ? [{ ...last, changes }] : []
      if (phase === null && some.length === 0) continue
      stretches.push({ transactions: await this.#decodeTransactions(some), phase })
    }
    return stretches
  }

  /** Answers the next versions of one place at or below this one; none where there are none. */
  #phasesUpTo(to: Lsn): readonly Phase[] {
    const phases = this.#granted.renewal?.phases ?? []
    return phases.filter(({ lsn }) => lsn <= to && lsn === phases[0]?.lsn)
  }

  async #applyBetween(copy: Copy, transactions: readonly Incoming[], to: Lsn, head: Lsn): Promise<void> {
    const { addition } = this.#granted
    const joins = addition ? mayJoin(addition, copy, to) : copy.stage === 'window' && to >= fenceOf(copy)
    const recent = to <= copy.cursor || Date.now() - this.#durableAtMs < EMPTY_CURSOR_MS
    const nothing = transactions.length === 0 && !joins && recent
    const applied = nothing
      ? { copy: { ...copy, cursor: maxLsn(copy.cursor, to) }, addition, changes: 0, missed: null }
      : await applyTransactions(this.#store, copy, transactions, to, this.#granted)
    this.#position = to
    this.#noteApplied(applied, head, !nothing)
  }

  #noteApplied(applied: Applied, head: Lsn, durable: boolean, stepped: readonly Phase[] = []): void {
    const joined = this.#granted.addition !== null && applied.addition === null
    this.#copy = applied.copy
    this.#granted = joined ? NOTHING_GRANTED : grantedAfter(this.#granted, applied.addition, stepped)
    if (durable) {
      this.#durable = applied.copy.cursor
      this.#durableAtMs = Date.now()
    }
    this.#host.onApplied(applied, head)
    if (applied.missed !== null) throw new TidemarkError('unavailable', applied.missed)
  }

  /** Steps to the versions below a transaction that came in parts; the one at its own place comes with it. */
  async #stepToVersionsBelow(copy: Copy, { lsn, head }: Part): Promise<void> {
    const last = this.#granted.renewal?.phases.findLast((phase) => phase.lsn < lsn)
    if (last) await this.#applyByVersions(copy, [], last.lsn, head)
  }

  /** Stages a piece of a large transaction; the last one applies it whole. */
  async #acceptPiece(copy: Copy, frame: Exclude<DataFrame, { type: 'batch' }>): Promise<void> {
    this.#queue.shift()
    if (frame.lsn <= this.#position) return
    if (frame.from !== this.#position) throw gap()
    const expected = this.#parts ?? { lsn: frame.lsn, index: 0, piece: 0 }
    this.#parts = followPiece(frame, expected)
    const isWhole = frame.type === 'part'
    await stagePiece(this.#store.db, {
      position: frame.index,
      piece: isWhole ? 0 : frame.piece,
      isWhole,
      content: isWhole ? JSON.stringify(frame.changes) : frame.text,
    })
    if (frame.type === 'part' && frame.last) {
      this.#parts = null
      try {
        await this.#stepToVersionsBelow(copy, frame)
        const phases = this.#phasesUpTo(frame.lsn)
        const whole = { lsn: frame.lsn, xid: frame.xid }
        const applied = await applyStagedParts(this.#store, this.#copy ?? copy, whole, this.#granted, phases)
        this.#position = frame.lsn
        if (phases.length > 0) this.#store.forgetPredictions?.()
        this.#noteApplied(applied, frame.head, true, phases)
      } catch (error) {
        await this.#askForRows(copy, error, frame.lsn)
      }
    }
  }
}

/** Answers what is still on its way once a version is in force here; a renewal without a table to load ends with its last. */
function grantedAfter(granted: Granted, addition: Copy | null, stepped: readonly Phase[]): Granted {
  if (granted.renewal === null || stepped.length === 0) return { ...granted, addition }
  const phases = granted.renewal.phases.filter((phase) => !stepped.includes(phase))
  const isDone = phases.length === 0 && granted.renewal.renewed.size === 0
  return { ...granted, addition, renewal: isDone ? null : { ...granted.renewal, phases } }
}

const gap = () => new TidemarkError('corrupt', 'The stream does not go on where this replica is; reconnecting.')

/** Answers the transactions of a batch still to be applied; throws `corrupt` when it does not continue the cursor. */
function acceptBatch(frame: Batch, cursor: Lsn, unfinished: boolean): readonly WireTransaction[] {
  if (frame.to <= cursor) return []
  if (frame.from !== cursor || unfinished) throw gap()
  let before = frame.from
  for (const { lsn } of frame.transactions) {
    if (lsn <= before || lsn > frame.to) throw new TidemarkError('corrupt', 'A batch is out of order; reconnecting.')
    before = lsn
  }
  return frame.transactions
}

/** Answers the place of the piece after this one; throws `corrupt` when this one is not the one expected. */
function followPiece(frame: Part | Fragment, expected: { lsn: Lsn; index: number; piece: number }) {
  const nextChange = expected.piece > 0 && frame.index === expected.index + 1
  const index = nextChange ? expected.index + 1 : expected.index
  const piece = nextChange ? 0 : expected.piece
  const fits =
    frame.lsn === expected.lsn && frame.index === index && (frame.type === 'part' ? piece === 0 : frame.piece === piece)
  if (!fits) throw new TidemarkError('corrupt', 'Parts of a transaction are missing or out of order; reconnecting.')
  return frame.type === 'part'
    ? { lsn: frame.lsn, index: index + 1, piece: 0 }
    : { lsn: frame.lsn, index, piece: piece + 1 }
}
