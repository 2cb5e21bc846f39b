/*
 * How a commit in Postgres becomes history.
 *
 * A cycle looks, peeks, stores, tells and moves the slot, in this order. It looks at the server first: which slot, which epoch,
 * which definition, and whether a synced table was altered behind our back. A slot that is gone, or a log that went back, begins a
 * new epoch (`decideEpoch`); an altered table halts capture (`CaptureHalt`). Then it peeks, which moves nothing, and stores whole
 * transactions in `tidemark.change_history`. The statement that stores also asks once more whether a table was altered, by a look
 * that sees every transaction it stores. Only what is durable is told to the SyncDOs, and only what was told lets the slot move.
 *
 *     look ──► peek ──► store ──► tell ──► owe the advance ──► look …
 *       │        │        │
 *       │        └────────┴─► a fault: forget what is known, begin as after a restart
 *       ├─► another history: end the epoch, begin one, everyone loads anew
 *       └─► an altered table: halt, until a definition says what it is now
 *
 * Whatever throws, nothing is lost: what was stored is found above the epoch's head and not stored twice, what was not stored is
 * still in the slot. What was stored and not told is told by the next cycle, which begins with an announcement. A run of cycles
 * ends when the log holds nothing more, or after `RUN_MS` or `MAX_CYCLES_PER_RUN`.
 */
import { readDefinitionInForce } from '../../db/definition/definition-in-force.ts'
import { type DefinitionInForce, maxLsn, TidemarkError } from '../../protocol/index.ts'
import type { Database } from '../database/index.ts'
import { CaptureHalt } from './capture-halt.ts'
import { findPublicationLoss, resumeHistory, startHistory } from './capture-history.ts'
import { CapturePeek, peekLimit } from './capture-peek.ts'
import type {
  CaptureSettings,
  CaptureState,
  CaptureStore,
  CycleOptions,
  CycleResult,
  Distribute,
} from './capture-state.ts'
import { readNextVersion } from './next-version.ts'
import { type CapturedBatch, LogReplaced } from './read-batch.ts'
import { NOTHING_STORED } from './rules/batch-tally.ts'
import { decideEpoch } from './rules/epoch-decision.ts'
import type { RoutedBatch } from './rules/subscription.ts'
import { planTables } from './rules/table-plan.ts'
import type { CycleFacts } from './server-facts.ts'
import { type PeekOrder, SHORT_PEEK_ROWS } from './short-peek.ts'
import { slotFault } from './slot.ts'
import { SlotAdvance } from './slot-advance.ts'

/** One database's capture. Cycles must not overlap. */
export class Capture {
  readonly #settings: CaptureSettings
  readonly #store: CaptureStore
  readonly #halt: CaptureHalt
  readonly #peek: CapturePeek
  /** Moves the slot once a cycle has stored and delivered what lies below. */
  readonly advance: SlotAdvance
  #state: CaptureState | null = null
  #slotPresent: boolean | null = null

  constructor(settings: CaptureSettings, store: CaptureStore) {
    this.#settings = settings
    this.#store = store
    this.#halt = new CaptureHalt(settings, store)
    this.#peek = new CapturePeek(settings, store, this.#halt)
    this.advance = new SlotAdvance(settings.slotName, store)
  }

  /** Null until a cycle has spoken with the database. */
  get state(): CaptureState | null {
    return this.#state
  }

  /** True where the slot was there and whole when the last cycle began; null before the first. */
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

  /** The peek that a wait shall make at its end; null where the next one is not known or not likely to be short. */
  get peekOrder(): PeekOrder | null {
    return this.#peek.order(this.#state)
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
      await this.advance.moveSlot(options.peeker ?? database)
      return await this.#cycle(database, wanted, distribute, options)
    } catch (error) {
      // The cycle may have stored without distributing: the next one begins as after a restart.
      this.forget()
      throw slotFault(error) ?? error
    }
  }

  /** Forgets what the database said last, so that the next cycle asks anew. */
  forget(): void {
    this.#state = null
    this.advance.forget()
  }

  async #cycle(
    database: Database,
    wanted: (audience: string) => boolean,
    distribute: Distribute,
    { peeker = null, openReader = null, waited = null, deferAdvance = false }: CycleOptions,
  ): Promise<CycleResult> {
    const known = this.#state
    const early = waited && known && (await this.#peek.storeWaited(database, known, waited, wanted))
    const { facts, peeked } = early ?? (await this.#peek.look(this.#state, database, peeker))
    this.#slotPresent = facts.slot !== null && facts.slot.lost === null
    this.#peek.unplaced = facts.unplaced
    const state = await this.#follow(database, facts)
    // The facts are older than the definition that came in force: they are read again.
    if (state === null) return LOOK_AGAIN
    this.#peek.next = await readNextVersion(database, this.#store, this.#settings.slotName, state, facts)
    if (known?.epoch.id !== state.epoch.id) await distribute(announcement(state))
    // The facts were read before this history began, and show another slot.
    if (state.epoch.id !== facts.epoch?.id) return LOOK_AGAIN
    const confirmed = facts.slot?.confirmedFlushLsn ?? state.epoch.startLsn
    if (early === null && facts.flushLsn <= state.capturedTo && confirmed >= state.capturedTo) {
      this.#peek.isShort = true
      return { more: false, storedRows: 0, ownXid: null }
    }
    // Decoded by what was known before the facts were.
    const same = known?.epoch.id === state.epoch.id && known.plans === state.plans && known.source === state.source
    if (early !== null && !same) throw new TidemarkError('unavailable', 'The history began anew; it is read again.')
    const whole =
      early?.batch ?? (peeked && same ? await this.#peek.storeShort(database, state, facts, peeked, wanted) : null)
    const upTo = whole !== null && peeked !== null ? peeked.upTo : peekLimit(state, facts)
    const batch = whole ?? (await this.#storeLong(database, state, facts, upTo, wanted, openReader))
    if (batch === null) return LOOK_AGAIN
    if (batch === 'replaced') {
      await distribute(announcement(await this.#start(database, facts, 'restored')))
      return LOOK_AGAIN
    }
    this.#peek.isShort = batch.complete && batch.storedRows < SHORT_PEEK_ROWS
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
    if (definition.version === facts.latestDefinitionVersion) this.#halt.trust()
    await distribute({ epoch: epoch.id, from: state.capturedTo, to, definition, ...batch.news })
    await this.advance.owe(database, facts, to, epoch.headLsn)
    if (batch.drift !== null || batch.definitionVersion !== null || !deferAdvance)
      await this.advance.moveSlot(peeker ?? database)
    if (batch.drift !== null) throw this.#halt.begin(batch.drift)
    // The next cycle asks whether the decoder can capture the new definition too.
    if (batch.definitionVersion !== null) this.forget()
    return { more: to < facts.flushLsn, storedRows: batch.storedRows, ownXid: early?.ownXid ?? null }
  }

  async #storeLong(...order: Parameters<CapturePeek['storeLong']>): Promise<CapturedBatch | 'replaced' | null> {
    try {
      return await this.#peek.storeLong(...order)
    } catch (error) {
      if (error instanceof LogReplaced) return 'replaced'
      throw error
    }
  }

  /** The state of the history that goes on, or of the new one that had to begin; null where a new definition came in force. */
  async #follow(database: Database, facts: CycleFacts): Promise<CaptureState | null> {
    const memory = this.#store.read()
    const decision = decideEpoch(facts, memory, this.#settings)
    if (decision.action === 'start') return this.#start(database, facts, decision.reason)
    const { epoch } = facts
    if (epoch === null) throw new TidemarkError('internal', 'A history goes on that does not exist.')
    if (memory.halted !== null) {
      await this.#halt.end(database, epoch)
      this.forget()
      return null
    }
    // Even where the log holds nothing: a partition that is gone leaves no row there.
    if (facts.altered) await this.#halt.takeOver(database, epoch)
    const altered = await findPublicationLoss(this.#store, database, facts, epoch.decoder)
    if (altered !== null) return this.#start(database, facts, altered)
    if (this.#state !== null && this.#state.epoch.id === epoch.id) {
      this.#state = { ...this.#state, epoch }
      return this.#state
    }
    this.#state = await resumeHistory(this.#settings, this.#store, database, epoch)
    return this.#state ?? this.#start(database, facts, 'decoder-changed')
  }

  async #start(database: Database, facts: CycleFacts, reason: string): Promise<CaptureState> {
    this.forget()
    this.#state = await startHistory(this.#settings, this.#store, database, facts, reason)
    return this.#state
  }

  async #definitionAfter(database: Database, state: CaptureState, batch: CapturedBatch): Promise<DefinitionInForce> {
    if (batch.definitionVersion === null) return state.definition
    const definition = await readDefinitionInForce(database.query, batch.definitionVersion)
    if (definition === null)
      throw new TidemarkError('misconfigured', `Definition ${batch.definitionVersion} is missing.`)
    return definition
  }
}

const LOOK_AGAIN: CycleResult = { more: true, storedRows: 0, ownXid: null }

/** Tells everyone where capture stands, because transactions that it stored before may never have been delivered. */
function announcement({ epoch, capturedTo, definition }: CaptureState): RoutedBatch {
  const at = { epoch: epoch.id, from: capturedTo, to: capturedTo, definition }
  const news = { audiences: new Set<string>(), everyone: true, transactions: null, rights: null, hasMutations: true }
  return { ...at, ...news, stored: NOTHING_STORED }
}
