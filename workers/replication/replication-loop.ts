import type { Sync } from '../../db/index.ts'
import { type Lsn, parsePgLsn, TidemarkError, toTidemarkError, ZERO_LSN } from '../../protocol/index.ts'
import type { ReplicationHealth } from '../contracts.ts'
import { type Database, openDatabase } from '../database/index.ts'
import type { DatabaseEnv } from '../env.ts'
import { within } from '../within.ts'
import { bundleHash } from './bundle-hash.ts'
import { Capture } from './capture.ts'
import type { CaptureState } from './capture-state.ts'
import type { ReplicationStorage } from './replication-storage.ts'
import { pruneHistory } from './retention.ts'
import type { Router } from './router.ts'
import { classifyHealth, type ServerFigures } from './rules/classify-health.ts'
import type { OwnIdentity } from './rules/epoch-decision.ts'
import { nextPauseMs, type ReplicationIntervals } from './rules/interval.ts'
import type { RoutedBatch } from './rules/subscription.ts'
import { decideWatch, isPooled, type WatchDecision } from './rules/watch.ts'
import { RunOutcome } from './run-outcome.ts'
import { readFigures } from './server-facts.ts'
import type { WaitedPeek } from './short-peek.ts'
import { WalWatch } from './wal-watch.ts'

export interface LoopContext {
  readonly env: DatabaseEnv
  readonly own: OwnIdentity
  readonly sync: Sync | null
  readonly intervals: ReplicationIntervals
  /** Whether to wait inside Postgres while somebody subscribes. */
  readonly watch: boolean
  readonly retentionMs: number | null
  readonly storage: ReplicationStorage
  readonly router: Router
  /** Told of each batch before it is routed. */
  readonly heard: (batch: RoutedBatch) => void
  readonly nowMs: () => number
  readonly random: () => number
}

/** One run ends after this long even if more is waiting; the alarm goes on. */
const RUN_MS = 15_000
const MAX_CYCLES_PER_RUN = 1_000
/** The connection is kept while the next cycle is this near. */
const KEEP_CONNECTION_MS = 5_000
const FIGURES_EVERY_MS = 10_000
const PRUNE_EVERY_MS = 60 * 60_000

/** After a cycle the next wait rests as long as that took, so that capture has half of its connections' time at most. */
const LONGEST_REST_MS = 100

/** A wait that is to end is given this long before the slot is taken from beside it. */
const WAIT_END_MS = 1_000

/** The note of activity is written at most this often. */
const QUIET_NOTE_MS = 5_000

/** Runs capture cycles, one at a time, whoever asks for them. */
export class ReplicationLoop {
  readonly #context: LoopContext
  readonly #capture: Capture
  readonly #watch: WalWatch
  readonly #outcome: RunOutcome
  #database: Database | null = null
  #running: Promise<void> | null = null
  #next: Promise<void> | null = null
  /** The latest wish for a fresh head that no run has met. */
  #freshWanted: symbol | null = null
  #more = false
  /** The last cycle stored something, so its own writes are still ahead of it in the log. */
  #wrote = false
  /** The id of the transaction that stored it, where nothing else was in progress beside. */
  #ownXid: string | null = null
  /** The last wait begun. */
  #wait: Promise<void> = Promise.resolve()
  /** What the last wait peeked, for the cycle after it. */
  #waited: WaitedPeek | null = null
  #lastCycleMs = 0
  /** When the last cycle began that captured all there was. */
  #wholeAtMs: number | null = null
  #figures: { server: ServerFigures; bundleHash: string | null; atMs: number } | null = null
  #prunedAtMs = 0
  /** The last state known, for health. */
  #shown: CaptureState | null = null

  constructor(context: LoopContext) {
    this.#context = context
    this.#outcome = new RunOutcome(context.storage)
    this.#capture = new Capture(
      { ...context.own, env: context.env, driftWaitMs: context.intervals.driftWaitMs, nowMs: context.nowMs },
      context.storage,
    )
    this.#watch = new WalWatch(context.env, context.nowMs)
  }

  get state(): CaptureState | null {
    return this.#capture.state
  }

  /** Runs begun after this call; callers that come before one begins share it. Throws what stopped it. */
  async run(): Promise<void> {
    if (this.#running === null) return this.#begin()
    this.#next ??= this.#running
      .catch(() => {})
      .then(() => {
        this.#next = null
        return this.#begin()
      })
    return this.#next
  }

  /** A run, unless a wait is under way: that ends by itself once there is something, and has the slot then. */
  async nudge(): Promise<void> {
    if (!this.#watch.waiting) await this.run()
  }

  /** A run that captures everything committed before this call. Throws `unavailable`. */
  async runFresh(): Promise<CaptureState> {
    this.#freshWanted = Symbol('fresh head')
    await this.run()
    return this.requireState()
  }

  requireState(): CaptureState {
    const { state } = this.#capture
    if (state === null) throw new TidemarkError('unavailable', 'The history is not open yet; try again.')
    return state
  }

  /** How long ago everything committed was captured; null where nothing was yet. */
  get behindMs(): number | null {
    return this.#wholeAtMs === null ? null : this.#context.nowMs() - this.#wholeAtMs
  }

  /** Something happened that makes waiting pointless. */
  noteActivity(): void {
    const { storage, nowMs } = this.#context
    if (nowMs() - (storage.quietSinceMs ?? 0) >= QUIET_NOTE_MS) storage.quietSinceMs = nowMs()
  }

  /** Whether a wait should begin now. */
  get mayWatch(): boolean {
    const isFree = this.#running === null && this.#next === null && !this.#watch.waiting
    return isFree && !this.#more && this.state !== null && this.#watchDecision.on
  }

  /** Waits inside Postgres until there is something to capture, or for 10 s; then a run is due. Never throws. Rule CAP-R29. */
  async watch(): Promise<void> {
    this.#wait = this.#waitOnce()
    await this.#wait
  }

  async #waitOnce(): Promise<void> {
    const { state } = this
    const { slotName } = this.#context.own
    const { advance, peekOrder } = this.#capture
    const advanceTo = advance.owed
    // What others commit between a peek and our own commit lies below our own writes: they are read before they are waited out.
    const past = state === null || this.#wrote ? ZERO_LSN : state.capturedTo
    const ownXid = this.#wrote ? this.#ownXid : null
    const atLeastMs = Math.min(this.#lastCycleMs, LONGEST_REST_MS)
    const order = { slotName, past, atLeastMs, ownXid, advanceTo, peek: peekOrder }
    const { done, peeked } = await this.#watch.wait(order)
    if (done && advanceTo !== null) advance.moved(advanceTo)
    this.#waited = peeked
  }

  /** Pause before the next run; 0 when more is waiting. Closes the connections when it is long. */
  async rest(): Promise<number> {
    const watching = this.#watchDecision.on
    const pauseMs = this.#pauseMs(watching)
    if (!watching) await this.#watch.close()
    if (pauseMs > KEEP_CONNECTION_MS && !watching && this.#running === null) await this.#disconnect()
    return pauseMs
  }

  health(nextCycleAtMs: number | null): ReplicationHealth {
    const { router, nowMs } = this.#context
    const state = this.#shown
    return classifyHealth(
      {
        epoch: state?.epoch.id ?? null,
        head: state?.capturedTo ?? null,
        decoder: state?.epoch.decoder ?? null,
        decoderReason: state?.decoderReason ?? null,
        lastCycleAtMs: this.#outcome.lastCycleAtMs,
        // While an alarm runs, none is armed.
        nextCycleAtMs: nextCycleAtMs ?? (this.#running && nowMs()),
        lastError: this.#outcome.failure,
        slotPresent: this.#capture.slotPresent,
        server: this.#figures?.server ?? null,
        bundleHash: this.#figures?.bundleHash ?? null,
        epochStarted: this.#outcome.epochStarted,
        leftOut: this.#capture.leftOut,
        subscribers: router.subscribers,
        subscribersBehind: router.behind,
        watch: this.#watchDecision,
      },
      nowMs(),
    )
  }

  async #begin(): Promise<void> {
    const run = this.#run()
    this.#running = run
    try {
      await run
    } finally {
      if (this.#running === run) this.#running = null
    }
  }

  async #run(): Promise<void> {
    try {
      const database = await this.#connect()
      const wanted = this.#freshWanted
      const target = wanted && (await this.#freshTarget(database))
      // What was written for the target ends it.
      if (target !== null) await within(WAIT_END_MS, this.#wait)
      await this.#cycles(database, target)
      if (this.#more || !this.#watchDecision.on) await this.#capture.advance.settle(database)
      // A run that fails leaves the wish to the next.
      if (this.#freshWanted === wanted) this.#freshWanted = null
      await this.#readFigures(database)
      await this.#prune(database)
      this.#outcome.succeed()
    } catch (error) {
      const fault = toTidemarkError(error)
      this.#outcome.fail(fault)
      this.#more = false
      await this.#disconnect()
      throw fault
    }
  }

  async #cycles(database: Database, target: Lsn | null): Promise<void> {
    const { router, nowMs, env, heard } = this.#context
    const openReader = () => openDatabase(env, { applicationName: 'tidemark peek' })
    const begunMs = nowMs()
    for (let cycle = 0; cycle < MAX_CYCLES_PER_RUN; cycle += 1) {
      const { generation } = router
      const startedMs = nowMs()
      const distribute = async (batch: RoutedBatch) => {
        heard(batch)
        router.route(batch, generation)
        // What is written in the same turn is awaited by calls made before it, too.
        await new Promise((resolve) => setTimeout(resolve))
      }
      const peeker = this.#watch.idleConnection
      const waited = this.#waited
      this.#waited = null
      // A wait that begins moves the slot itself, beside everything else.
      const deferAdvance = this.#watchDecision.on
      const options = { peeker, openReader, waited, deferAdvance }
      const { more, storedRows, ownXid } = await this.#capture.cycle(database, router.wanted, distribute, options)
      const endedMs = nowMs()
      this.#outcome.noteCycle(endedMs)
      this.#lastCycleMs = endedMs - startedMs
      this.#wrote = storedRows > 0
      this.#ownXid = ownXid
      this.#noteEpoch()
      if (storedRows > 0) this.noteActivity()
      const reached = target === null || (this.state !== null && this.state.capturedTo >= target)
      this.#more = more || this.state === null
      if (!this.#more) this.#wholeAtMs = startedMs
      if (!this.#more && reached) return
      if (nowMs() - begunMs >= RUN_MS && this.state !== null) break
    }
    if (target !== null && this.requireState().capturedTo < target) {
      throw new TidemarkError('unavailable', 'Capture is far behind; try again.')
    }
  }

  /** A position that every commit which returned before is at or below, on disk and so within the next cycle's reach. */
  async #freshTarget(database: Database): Promise<Lsn> {
    // A commit that writes: its flush takes asynchronous commits before it along.
    await database.query(`SELECT pg_logical_emit_message(true, 'tidemark', 'head')`)
    const [row] = await database.query('SELECT pg_current_wal_flush_lsn()::text AS lsn')
    return parsePgLsn(row?.lsn ?? '')
  }

  #noteEpoch(): void {
    const { state } = this
    if (state === null) return
    const { nowMs, storage } = this.#context
    this.#shown = state
    const { epoch, definition } = state
    const { place } = storage
    const told = place?.epoch === epoch.id && place.floor === epoch.floorLsn
    if (!told || place.definition.version !== definition.version) {
      storage.place = { epoch: epoch.id, definition, floor: epoch.floorLsn }
    }
    const reason = state.startedReason
    if (reason !== null) this.#outcome.noteEpochStarted(reason, nowMs())
  }

  async #connect(): Promise<Database> {
    if (this.#database?.usable) return this.#database
    await this.#disconnect()
    const { env } = this.#context
    const prepare = !isPooled(env.DATABASE_URL)
    this.#database = await openDatabase(env, { applicationName: 'tidemark capture', prepare })
    return this.#database
  }

  async #disconnect(): Promise<void> {
    const database = this.#database
    this.#database = null
    await database?.close()
  }

  get #quietMs(): number {
    const { storage, nowMs } = this.#context
    return nowMs() - (storage.quietSinceMs ?? nowMs())
  }

  get #watchDecision(): WatchDecision {
    const { router, watch, intervals } = this.#context
    const { obstacle } = this.#watch
    const facts = { subscribers: router.subscribers, quietMs: this.#quietMs, failures: this.#outcome.failures }
    return decideWatch({ ...facts, wanted: watch, obstacle }, intervals)
  }

  #pauseMs(watching: boolean): number {
    const { router, intervals, random } = this.#context
    if (this.#more && this.#outcome.failures === 0) return 0
    const pace = { subscribers: router.subscribers, quietMs: this.#quietMs, failures: this.#outcome.failures }
    return nextPauseMs({ ...pace, watching, random: random() }, intervals)
  }

  async #readFigures(database: Database): Promise<void> {
    const { own, sync, nowMs } = this.#context
    if (this.#figures !== null && nowMs() - this.#figures.atMs < FIGURES_EVERY_MS) return
    const server = await readFigures(database.query, own.slotName)
    const known = this.#figures
    const unchanged = known !== null && known.server.definitionHash === server.definitionHash
    const hash = unchanged ? known.bundleHash : sync && (await bundleHash(database.query, sync))
    this.#figures = { server, bundleHash: hash, atMs: nowMs() }
  }

  async #prune(database: Database): Promise<void> {
    const { retentionMs, nowMs } = this.#context
    if (retentionMs === null || this.#more || nowMs() - this.#prunedAtMs < PRUNE_EVERY_MS) return
    const more = await pruneHistory(database, new Date(nowMs() - retentionMs).toISOString())
    if (!more) this.#prunedAtMs = nowMs()
  }
}
