import { type Lsn, lsnAfter, lsnDistanceBytes, maxLsn, minLsn, TidemarkError } from '../../protocol/index.ts'
import { type Database, SQL_STATE, sqlStateOf } from '../database/index.ts'
import { captureBatch, storeShortPeek } from './capture-batch.ts'
import type { CaptureHalt } from './capture-halt.ts'
import type { CaptureSettings, CaptureState, CaptureStore, CycleOptions } from './capture-state.ts'
import type { NextVersion } from './next-version.ts'
import type { BatchRequest, CapturedBatch } from './read-batch.ts'
import { publicationMark } from './rules/publication-mark.ts'
import { type CycleFacts, readFacts, type Unplaced } from './server-facts.ts'
import { type PeekOrder, readShortPeek, SHORT_PEEK_ROWS, type ShortPeek, type WaitedPeek } from './short-peek.ts'

/** The result of `storeWaited`. */
interface WaitedLook {
  readonly facts: CycleFacts
  readonly peeked: ShortPeek
  readonly batch: CapturedBatch
  readonly ownXid: string | null
}

// Each peek decodes again from the restart position, which lags: few large ones cost less than many small ones.
const MAX_CHANGES = 200_000
/** A peek decodes at most this much log beyond the slot's position, so that it ends in time. */
const WAL_BYTES_PER_PEEK = 256n * 1024n * 1024n
/** From this much log on, a second connection reads while the first stores. */
const READER_BYTES = 4 * 1024 * 1024

/** Reads from the slot and stores what it gives, in few large peeks or a short one; it decides nothing of the history. */
export class CapturePeek {
  readonly #settings: CaptureSettings
  readonly #store: CaptureStore
  readonly #halt: CaptureHalt
  /** The last peek was short, so that the next one likely is. */
  isShort = false
  /** The versions of tables altered at an unknown place, as the facts said last. */
  unplaced: Unplaced = {}
  /** The version that comes next where it follows tables that others altered, as the log decided on it. */
  next: NextVersion | null = null

  constructor(settings: CaptureSettings, store: CaptureStore, halt: CaptureHalt) {
    this.#settings = settings
    this.#store = store
    this.#halt = halt
  }

  /** Answers the peek that a wait shall make; null where the next one is not known or not likely to be short. */
  order(state: CaptureState | null): PeekOrder | null {
    if (state === null || !this.isShort) return null
    const { capturedTo, source, plans } = state
    return { slotName: this.#settings.slotName, limit: lsnAfter(capturedTo, WAL_BYTES_PER_PEEK), source, plans }
  }

  /** Stores what came with a wait, and only then learns what else a cycle must know; null where that will not do. */
  async storeWaited(
    database: Database,
    known: CaptureState,
    waited: WaitedPeek,
    wanted: (audience: string) => boolean,
  ): Promise<WaitedLook | null> {
    const { order, xidHorizon, rows, upTo, flushLsn, soleXid } = waited
    const { slotName } = this.#settings
    const memory = this.#store.read()
    const { capturedTo, plans, source, epoch } = known
    if (order.plans !== plans || order.source !== source || flushLsn < capturedTo || memory.halted !== null) return null
    if (memory.epoch !== epoch.id || memory.advancedTo === null) return null
    const request = this.#request(known, { xidHorizon }, upTo, SHORT_PEEK_ROWS, wanted)
    const slotAtMost = maxLsn(memory.advancedTo, epoch.headLsn, epoch.startLsn)
    const stored = await storeShortPeek(database, source, rows, request, slotAtMost)
    if (stored === null) return null
    const facts = stored.seen?.facts ?? (await readFacts(database.query, slotName))
    const ownXid = stored.seen?.xid === soleXid ? soleXid : null
    return { facts: { ...facts, flushLsn }, peeked: waited, batch: stored.batch, ownXid }
  }

  /** The facts, and beside them the peek where it is likely to be short. */
  async look(
    state: CaptureState | null,
    database: Database,
    peeker: Database | null,
  ): Promise<{ readonly facts: CycleFacts; readonly peeked: ShortPeek | null }> {
    const { slotName } = this.#settings
    const short = this.isShort
    this.isShort = false
    if (state === null || peeker === null || !short) {
      return { facts: await readFacts(database.query, slotName), peeked: null }
    }
    const limit = lsnAfter(state.capturedTo, WAL_BYTES_PER_PEEK)
    const [facts, peeked] = await Promise.all([
      readFacts(database.query, slotName),
      // A slot that is gone, for one: the facts alone will say what to do.
      readShortPeek(peeker.query, slotName, limit, state.source, state.plans).catch(() => null),
    ])
    return { facts: peeked === null ? facts : { ...facts, flushLsn: peeked.flushLsn }, peeked }
  }

  async storeShort(
    database: Database,
    state: CaptureState,
    facts: CycleFacts,
    { upTo, rows }: ShortPeek,
    wanted: (audience: string) => boolean,
  ): Promise<CapturedBatch | null> {
    const request = this.#request(state, facts, upTo, SHORT_PEEK_ROWS, wanted)
    const slotAtMost = facts.slot?.confirmedFlushLsn ?? state.epoch.startLsn
    return (await storeShortPeek(database, state.source, rows, request, slotAtMost))?.batch ?? null
  }

  async storeLong(
    database: Database,
    state: CaptureState,
    facts: CycleFacts,
    upTo: Lsn,
    wanted: (audience: string) => boolean,
    openReader: CycleOptions['openReader'],
  ): Promise<CapturedBatch | null> {
    const request = this.#request(state, facts, upTo, this.#settings.maxChanges ?? MAX_CHANGES, wanted)
    try {
      const isMuch = lsnDistanceBytes(state.capturedTo, upTo) >= READER_BYTES
      const reader = isMuch && openReader ? await openReader() : null
      try {
        return await captureBatch(database, state.source, request, reader)
      } finally {
        await reader?.close()
      }
    } catch (error) {
      if (error instanceof TidemarkError && error.kind === 'schema-drift') {
        await this.#halt.takeOver(database, state.epoch)
        return null
      }
      // The log lies where there was no publication: the next cycle finds this mark outdated and begins a new history.
      if (state.epoch.decoder === 'pgoutput' && sqlStateOf(error) === SQL_STATE.undefinedObject) {
        const publication = publicationMark(facts.latestDefinitionVersion, 'missing')
        this.#store.write({ ...this.#store.read(), publication })
      }
      throw error
    }
  }

  #request(
    { epoch, definition, plans, capturedTo }: CaptureState,
    { xidHorizon }: Pick<CycleFacts, 'xidHorizon'>,
    upTo: Lsn,
    maxChanges: number,
    wanted: (audience: string) => boolean,
  ): BatchRequest {
    const { slotName } = this.#settings
    const { distrusted } = this.#store.read()
    const pending = Object.entries(this.unplaced).filter(([, version]) => version > definition.version)
    const next = this.next !== null && this.next.version > definition.version ? this.next : null
    const passedOver = new Set([...pending.map(([id]) => id), ...distrusted].filter((id) => !next?.replayed.has(id)))
    const unplacedTo = Math.max(0, ...Object.values(this.unplaced))
    const place = { epoch: epoch.id, head: epoch.headLsn, capturedTo, upTo, maxChanges, slotName, next }
    return { ...place, definition, plans, xidHorizon, passedOver, unplacedTo, wanted }
  }
}

export function peekLimit(state: CaptureState, facts: CycleFacts): Lsn {
  const base = maxLsn(facts.slot?.confirmedFlushLsn ?? state.epoch.startLsn, state.epoch.startLsn)
  return minLsn(facts.flushLsn, lsnAfter(base, WAL_BYTES_PER_PEEK))
}
