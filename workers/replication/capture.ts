import { readDefinitionInForce } from '../../db/definition/definition-in-force.ts'
import {
  type DefinitionInForce,
  type Lsn,
  lsnDistanceBytes,
  lsnFromBigInt,
  maxLsn,
  minLsn,
  TidemarkError,
} from '../../protocol/index.ts'
import { type Database, SQL_STATE, sqlStateOf } from '../database/index.ts'
import type { DatabaseEnv } from '../env.ts'
import { adoptDrift, takeOver } from './adopt-drift.ts'
import { type BatchRequest, type CapturedBatch, captureBatch, storeShortPeek } from './capture-batch.ts'
import type { ChangeSource } from './change-source.ts'
import { readDefinitionAtHead, startEpoch } from './epoch.ts'
import { pgoutputSource } from './pgoutput-source.ts'
import { findPublicationFault, mendPublication } from './publication.ts'
import { pgoutputFault, wal2jsonFault } from './rules/decoder-choice.ts'
import { type CaptureMemory, decideEpoch, type EpochRow, NO_MEMORY, type OwnIdentity } from './rules/epoch-decision.ts'
import { publicationAltered, publicationMark } from './rules/publication-mark.ts'
import { SchemaDrift } from './rules/schema-drift.ts'
import { planTables, type TablePlans } from './rules/table-plan.ts'
import { type CycleFacts, readFacts, type Unplaced } from './server-facts.ts'
import { type PeekOrder, readShortPeek, SHORT_PEEK_ROWS, type ShortPeek, type WaitedPeek } from './short-peek.ts'
import { advanceSlot, logStandbySnapshot, partitionedTables, probeNumericAsString, sendsGenerated } from './slot.ts'
import { wal2jsonSource } from './wal2json-source.ts'

export interface CaptureSettings extends OwnIdentity {
  readonly env: DatabaseEnv
  /** Bounds one peek, but for its last transaction. */
  readonly maxChanges?: number
  /** A halt for a table whose shape drifted ends by itself after this long. */
  readonly driftWaitMs: number
  readonly nowMs: () => number
}

/** Where capture keeps what must outlive it. */
export interface CaptureStore {
  read(): CaptureMemory
  write(memory: CaptureMemory): void
}

/** What one cycle brought, for those who are told. */
export interface RoutedBatch
  extends Pick<CapturedBatch, 'audiences' | 'everyone' | 'transactions' | 'rights' | 'hasMutations'> {
  readonly epoch: string
  readonly from: Lsn
  readonly to: Lsn
  /** In force at `to`. */
  readonly definition: DefinitionInForce
}

export type Distribute = (batch: RoutedBatch) => void | Promise<void>

export interface CycleResult {
  /** More is waiting: begin the next cycle at once. */
  readonly more: boolean
  readonly storedRows: number
  /** Of the transaction that stored, where nothing else was in progress beside it. */
  readonly ownXid: string | null
}

/** How one cycle is run besides its connection. */
export interface CycleOptions {
  /** A second connection, for a peek beside the facts. */
  readonly peeker?: Database | null
  /** Opens a connection that reads while the cycle's own stores; used where much waits, and closed. */
  readonly openReader?: (() => Promise<Database>) | null
  /** A peek that came with a wait: then a short cycle is one round trip. */
  readonly waited?: WaitedPeek | null
  /** Leave the slot to `owedAdvance`. */
  readonly deferAdvance?: boolean
}

/** The history being captured, as far as it is known. */
export interface CaptureState {
  readonly epoch: EpochRow
  readonly definition: DefinitionInForce
  readonly plans: TablePlans
  readonly source: ChangeSource
  readonly decoderReason: string
  readonly numericAsString: boolean
  /** Everything that ends at or below it is stored. */
  readonly capturedTo: Lsn
  /** Why the epoch began, if it began in this object's life. */
  readonly startedReason: string | null
}

/** What `#storeWaited` learned. */
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
/** A peek decodes from the restart position: this much costs it some 50 ms. */
const LAGGING_RESTART_BYTES = 8 * 1024 * 1024

/** One database's capture. Cycles must not overlap. */
export class Capture {
  readonly #settings: CaptureSettings
  readonly #store: CaptureStore
  #state: CaptureState | null = null
  #maySnapshot = true
  /** Where the last running-transactions record of ours was written. */
  #snapshotAt: Lsn | null = null
  /** The last peek was short, so that the next one likely is. */
  #short = false
  /** Where the slot may move to, all below being stored and told. */
  #owedAdvance: Lsn | null = null
  #slotPresent: boolean | null = null
  /** As the facts said last. */
  #unplaced: Unplaced = {}

  constructor(settings: CaptureSettings, store: CaptureStore) {
    this.#settings = settings
    this.#store = store
  }

  /** Null until a cycle has spoken with the database. */
  get state(): CaptureState | null {
    return this.#state
  }

  /** Whether the slot was there and whole when the last cycle began; null before the first. */
  get slotPresent(): boolean | null {
    return this.#slotPresent
  }

  /** Ids of the tables that the definition in force lacks because a halt ended by itself. */
  get leftOut(): readonly string[] {
    const { leftOut } = this.#store.read()
    return leftOut !== null && leftOut.version >= (this.#state?.definition.version ?? leftOut.version)
      ? leftOut.tables
      : []
  }

  /** Where the slot may move to and has not yet. */
  get owedAdvance(): Lsn | null {
    return this.#owedAdvance
  }

  /** What a wait shall peek; null where the next peek is not known or not likely to be short. */
  get peekOrder(): PeekOrder | null {
    if (this.#state === null || !this.#short) return null
    const { capturedTo, source, plans } = this.#state
    return { slotName: this.#settings.slotName, limit: beyond(capturedTo, WAL_BYTES_PER_PEEK), source, plans }
  }

  /**
   * Peek, insert, commit, distribute, advance. Whatever it throws, nothing is lost, and the next cycle goes on from there.
   *
   * `distribute` is called once what it is given is durable, and awaited before anything is written here; it must not throw.
   */
  async cycle(
    database: Database,
    wanted: (audience: string) => boolean,
    distribute: Distribute,
    options: CycleOptions = {},
  ): Promise<CycleResult> {
    try {
      await this.settle(options.peeker ?? database)
      return await this.#cycle(database, wanted, distribute, options)
    } catch (error) {
      // What was stored may not have been distributed: the next cycle begins as after a restart.
      this.forget()
      throw error
    }
  }

  /** Moves the slot where a cycle left that to be done. */
  async settle(database: Database): Promise<void> {
    const to = this.#owedAdvance
    if (to === null) return
    await advanceSlot(database.query, this.#settings.slotName, to)
    this.advanced(to)
  }

  /** The slot has moved. */
  advanced(to: Lsn): void {
    if (this.#owedAdvance === to) this.#owedAdvance = null
  }

  /** Forgets what the database said last, so that the next cycle asks anew. */
  forget(): void {
    this.#state = null
    this.#owedAdvance = null
  }

  async #cycle(
    database: Database,
    wanted: (audience: string) => boolean,
    distribute: Distribute,
    { peeker = null, openReader = null, waited = null, deferAdvance = false }: CycleOptions,
  ): Promise<CycleResult> {
    const known = this.#state
    const early = waited && known && (await this.#storeWaited(database, known, waited, wanted))
    const { facts, peeked } = early ?? (await this.#look(database, peeker))
    this.#slotPresent = facts.slot !== null && facts.slot.lost === null
    this.#unplaced = facts.unplaced
    const state = await this.#follow(database, facts)
    // What the facts say of the definition holds no longer.
    if (state === null) return LOOK_AGAIN
    if (known?.epoch.id !== state.epoch.id) await distribute(announcement(state))
    // Of a history that has just begun, the facts show another slot.
    if (state.epoch.id !== facts.epoch?.id) return LOOK_AGAIN
    const confirmed = facts.slot?.confirmedFlushLsn ?? state.epoch.startLsn
    if (early === null && facts.flushLsn <= state.capturedTo && confirmed >= state.capturedTo) {
      this.#short = true
      return { more: false, storedRows: 0, ownXid: null }
    }
    // Decoded by what was known before the facts were.
    const same = known?.epoch.id === state.epoch.id && known.plans === state.plans && known.source === state.source
    if (early !== null && !same) throw new TidemarkError('unavailable', 'The history began anew; it is read again.')
    const whole =
      early?.batch ?? (peeked && same ? await this.#storeShort(database, state, facts, peeked, wanted) : null)
    const upTo = whole !== null && peeked !== null ? peeked.upTo : peekLimit(state, facts)
    const batch = whole ?? (await this.#capture(database, state, facts, upTo, wanted, openReader))
    if (batch === null) return LOOK_AGAIN
    this.#short = batch.complete && batch.storedRows < SHORT_PEEK_ROWS
    const to = maxLsn(state.capturedTo, batch.seenTo ?? state.capturedTo, batch.complete ? upTo : state.capturedTo)
    const definition = await this.#definitionAfter(database, state, batch)
    const epoch =
      batch.head === null ? state.epoch : { ...state.epoch, headLsn: maxLsn(state.epoch.headLsn, batch.head) }
    this.#state = {
      ...state,
      epoch,
      capturedTo: to,
      definition,
      plans: definition === state.definition ? state.plans : planTables(definition),
    }
    if (definition.version === facts.latestDefinitionVersion) this.#trust()
    const { audiences, everyone, transactions, rights, hasMutations } = batch
    await distribute({
      epoch: epoch.id,
      from: state.capturedTo,
      to,
      definition,
      audiences,
      everyone,
      transactions,
      rights,
      hasMutations,
    })
    await this.#oweAdvance(database, facts, to)
    if (batch.drift !== null || batch.definitionVersion !== null || !deferAdvance) await this.settle(peeker ?? database)
    if (batch.drift !== null) throw this.#halt(batch.drift)
    // The next cycle asks whether the decoder can capture the new definition too.
    if (batch.definitionVersion !== null) this.forget()
    return { more: to < facts.flushLsn, storedRows: batch.storedRows, ownXid: early?.ownXid ?? null }
  }

  /** Stores what came with a wait, and only then learns what else a cycle must know; null where that will not do. */
  async #storeWaited(
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

  /** The state of the history that goes on, or of the new one that had to begin; null where a new definition came in force. */
  async #follow(database: Database, facts: CycleFacts): Promise<CaptureState | null> {
    const memory = this.#store.read()
    const decision = decideEpoch(facts, memory, this.#settings)
    if (decision.action === 'start') return this.#start(database, facts, decision.reason)
    const { epoch } = facts
    if (epoch === null) throw new TidemarkError('internal', 'A history goes on that does not exist.')
    if (memory.halted !== null) {
      await this.#endHalt(database, facts, epoch)
      return null
    }
    // Even where the log holds nothing: a partition that is gone leaves no row there.
    if (facts.altered) await this.#takeOver(database)
    const altered = await this.#checkPublication(database, facts, epoch.decoder)
    if (altered !== null) return this.#start(database, facts, altered)
    if (this.#state !== null && this.#state.epoch.id === epoch.id) {
      this.#state = { ...this.#state, epoch }
      return this.#state
    }
    return this.#resume(database, facts, epoch, memory)
  }

  async #resume(database: Database, facts: CycleFacts, epoch: EpochRow, memory: CaptureMemory): Promise<CaptureState> {
    const definition = await readDefinitionAtHead(database, epoch)
    const isWal2json = epoch.decoder === 'wal2json'
    const numericAsString = !isWal2json || (await probeNumericAsString(database.query, epoch.slotName))
    if (isWal2json) {
      const partitioned = await partitionedTables(database.query, definition.definition)
      const able = { wal2jsonFault: null, numericAsString, partitioned, sendsGenerated: true }
      const fault = wal2jsonFault(able, definition.definition)
      if (fault !== null && this.#settings.decoder === 'auto') return this.#start(database, facts, 'decoder-changed')
      if (fault !== null) throw new TidemarkError('misconfigured', `${fault}. Set decoder to 'auto' or 'pgoutput'.`)
    } else {
      const able = { sendsGenerated: await sendsGenerated(database.query) }
      const fault = pgoutputFault(able, definition.definition)
      if (fault !== null) throw new TidemarkError('misconfigured', `${fault}.`)
    }
    // What the memory says beyond the head is true as well, but only of this very epoch.
    const capturedTo =
      memory.epoch === epoch.id ? maxLsn(epoch.headLsn, memory.capturedTo ?? epoch.headLsn) : epoch.headLsn
    this.#state = {
      epoch,
      definition,
      plans: planTables(definition),
      source: isWal2json ? wal2jsonSource({ numericAsString }) : pgoutputSource(),
      decoderReason: `the epoch began with ${epoch.decoder}`,
      numericAsString,
      capturedTo,
      startedReason: null,
    }
    if (memory.epoch !== epoch.id) {
      const { publication } = this.#store.read()
      this.#store.write({ ...NO_MEMORY, epoch: epoch.id, capturedTo, headLsn: epoch.headLsn, publication })
    }
    return this.#state
  }

  async #start(database: Database, facts: CycleFacts, reason: string): Promise<CaptureState> {
    this.forget()
    const started = await startEpoch(this.#settings.env, database, facts, this.#settings, reason)
    const { epoch, definition, decoder, numericAsString, publication } = started
    const { startLsn } = epoch
    const at = { capturedTo: startLsn, advancedTo: startLsn, headLsn: startLsn }
    this.#store.write({ ...NO_MEMORY, ...at, epoch: epoch.id, publication })
    this.#state = {
      epoch,
      definition,
      plans: planTables(definition),
      source: decoder === 'wal2json' ? wal2jsonSource({ numericAsString }) : pgoutputSource(),
      decoderReason: started.reason,
      numericAsString,
      capturedTo: epoch.startLsn,
      startedReason: reason,
    }
    return this.#state
  }

  /** Why pgoutput may have missed something; null when it cannot have. What only wal2json reads beside is mended. */
  async #checkPublication(database: Database, facts: CycleFacts, decoder: string): Promise<string | null> {
    const mark = publicationMark(facts.latestDefinitionVersion, facts.publication)
    const { publication } = this.#store.read()
    if (mark === publication) return null
    const latest = await readDefinitionInForce(database.query)
    const fault = latest === null ? null : await findPublicationFault(database.query, latest)
    const altered = publicationAltered(publication, mark) ? 'publication-altered' : null
    // Mended only once the epoch has ended: a kill in between must not hide the loss.
    if (decoder === 'pgoutput' && (fault ?? altered) !== null) return fault ?? altered
    if (fault !== null && latest !== null) await mendPublication(database.query, latest)
    else this.#store.write({ ...this.#store.read(), publication: mark })
    return null
  }

  /** The facts, and beside them the peek where it is likely to be short. */
  async #look(
    database: Database,
    peeker: Database | null,
  ): Promise<{ readonly facts: CycleFacts; readonly peeked: ShortPeek | null }> {
    const { slotName } = this.#settings
    const state = this.#state
    const short = this.#short
    this.#short = false
    if (state === null || peeker === null || !short) {
      return { facts: await readFacts(database.query, slotName), peeked: null }
    }
    const limit = beyond(state.capturedTo, WAL_BYTES_PER_PEEK)
    const [facts, peeked] = await Promise.all([
      readFacts(database.query, slotName),
      // A slot that is gone, for one: the facts alone will say what to do.
      readShortPeek(peeker.query, slotName, limit, state.source, state.plans).catch(() => null),
    ])
    return { facts: peeked === null ? facts : { ...facts, flushLsn: peeked.flushLsn }, peeked }
  }

  async #storeShort(
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

  async #capture(
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
        await this.#takeOver(database)
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
    { epoch, definition, plans }: CaptureState,
    { xidHorizon }: Pick<CycleFacts, 'xidHorizon'>,
    upTo: Lsn,
    maxChanges: number,
    wanted: (audience: string) => boolean,
  ): BatchRequest {
    const { slotName } = this.#settings
    const { distrusted } = this.#store.read()
    const pending = Object.entries(this.#unplaced).filter(([, version]) => version > definition.version)
    const passedOver = new Set([...pending.map(([id]) => id), ...distrusted])
    const unplacedTo = Math.max(0, ...Object.values(this.#unplaced))
    const place = { epoch: epoch.id, head: epoch.headLsn, upTo, maxChanges, slotName }
    return { ...place, definition, plans, xidHorizon, passedOver, unplacedTo, wanted }
  }

  /** Takes over what is harmless; halts before anything else. */
  async #takeOver(database: Database): Promise<void> {
    const drifts = await takeOver(database)
    if (drifts.length > 0) throw this.#halt(new SchemaDrift(drifts))
  }

  /** Remembers that capture stands still and for which tables: what the log holds of them until then is not to be trusted. */
  #halt(error: TidemarkError): TidemarkError {
    const memory = this.#store.read()
    const tables = error instanceof SchemaDrift ? error.drifts.map(({ table }) => table) : []
    const distrusted = [...new Set([...memory.distrusted, ...tables])]
    const haltedAtMs = memory.haltedAtMs ?? this.#settings.nowMs()
    this.#store.write({ ...memory, halted: error.message, haltedAtMs, distrusted })
    return error
  }

  /** The tables that capture stood still for are where the definition in force says they are loaded anew. */
  #trust(): void {
    const memory = this.#store.read()
    if (memory.distrusted.length > 0) this.#store.write({ ...memory, distrusted: [] })
  }

  /**
   * Goes on once a later definition has all tables concerned loaded anew. Where their rows alone are in doubt it makes one by
   * itself, and where their shape is, after `driftWaitMs`. Throws `schema-drift` while it must wait.
   */
  async #endHalt(database: Database, facts: CycleFacts, epoch: EpochRow): Promise<void> {
    const found = await takeOver(database)
    const memory = this.#store.read()
    const waitedMs = this.#settings.nowMs() - (memory.haltedAtMs ?? 0)
    const { version } = await readDefinitionAtHead(database, epoch)
    const latest = await readDefinitionInForce(database.query)
    const shapes = found.filter(({ kind }) => kind === 'shape')
    // Rights that depend on a table are nobody's to give up.
    const mayAdopt = shapes.every(({ table }) => latest?.definition.tables.some(({ id }) => id === table))
    if (shapes.length > 0 && !(mayAdopt && waitedMs >= this.#settings.driftWaitMs))
      throw this.#halt(new SchemaDrift(found))
    const settled = ({ id }: { id: string }) =>
      found.some(({ table }) => table === id) || (facts.unplaced[id] ?? 0) > version
    const mended = (latest?.definition.tables ?? []).filter(
      (table) => memory.distrusted.includes(table.id) && !settled(table),
    )
    const drifts = [...found, ...mended.map(({ id }) => ({ table: id, kind: 'rows' as const, what: 'was altered' }))]
    const adopted = drifts.length > 0 ? await adoptDrift(database, drifts) : null
    const before = memory.leftOut?.version === latest?.version ? (memory.leftOut?.tables ?? []) : []
    const leftOut = adopted && { ...adopted, tables: [...adopted.tables, ...before] }
    this.forget()
    this.#store.write({ ...memory, halted: null, haltedAtMs: null, leftOut: leftOut ?? memory.leftOut })
  }

  async #definitionAfter(database: Database, state: CaptureState, batch: CapturedBatch): Promise<DefinitionInForce> {
    if (batch.definitionVersion === null) return state.definition
    const definition = await readDefinitionInForce(database.query, batch.definitionVersion)
    if (definition === null)
      throw new TidemarkError('misconfigured', `Definition ${batch.definitionVersion} is missing.`)
    return definition
  }

  async #oweAdvance(database: Database, facts: CycleFacts, to: Lsn): Promise<void> {
    const confirmed = facts.slot?.confirmedFlushLsn ?? to
    if (to <= confirmed) return
    // Stored before the slot moves: a slot found further along was moved by somebody else.
    const headLsn = this.#state?.epoch.headLsn ?? null
    this.#store.write({ ...this.#store.read(), capturedTo: to, advancedTo: to, headLsn })
    this.#owedAdvance = to
    const restart = facts.slot?.restartLsn
    // Where an open transaction holds the restart position back, another record would not move it.
    const since = restart && maxLsn(restart, this.#snapshotAt ?? restart)
    if (this.#maySnapshot && since && lsnDistanceBytes(since, to) > LAGGING_RESTART_BYTES) {
      this.#maySnapshot = await logStandbySnapshot(database.query)
      this.#snapshotAt = to
    }
  }
}

const LOOK_AGAIN: CycleResult = { more: true, storedRows: 0, ownXid: null }

const beyond = (lsn: Lsn, bytes: bigint): Lsn => lsnFromBigInt(BigInt(`0x${lsn}`) + bytes)

function peekLimit(state: CaptureState, facts: CycleFacts): Lsn {
  const base = maxLsn(facts.slot?.confirmedFlushLsn ?? state.epoch.startLsn, state.epoch.startLsn)
  return minLsn(facts.flushLsn, beyond(base, WAL_BYTES_PER_PEEK))
}

/** Where capture stands, for everyone: what it stored before may never have been told. */
function announcement({ epoch, capturedTo, definition }: CaptureState): RoutedBatch {
  const at = { epoch: epoch.id, from: capturedTo, to: capturedTo, definition }
  return { ...at, audiences: new Set(), everyone: true, transactions: null, rights: null, hasMutations: true }
}
