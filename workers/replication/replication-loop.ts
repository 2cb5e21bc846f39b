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
  /** True where capture is to wait inside Postgres while somebody subscribes. */
  readonly watch: boolean
  readonly retentionMs: number | null
  readonly storage: ReplicationStorage
  readonly router: Router
  /** Called with each batch before it is routed. */
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

/** A wait rests first as long as the last cycle took, to use half of its connections' time, but no longer than this. */
const LONGEST_REST_MS = 100

/** A wait is given this long to end before a run uses the slot beside it. */
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
  /** The latest request for a fresh head that no run has met. */
  #freshWanted: symbol | null = null
  #more = false
  /** True where the last cycle stored something, so that its own writes are still ahead of it in the log. */
  #wrote = false
  /** The id of the transaction that stored it, where nothing else was in progress beside it; else null. */
  #ownXid: string | null = null
  /** The last wait begun. */
  #wait: Promise<void> = Promise.resolve()
  /** The peek that came with the last wait, for the cycle after it. */
  #waited: WaitedPeek | null = null
  #lastCycleMs = 0
  /** The time at which the last cycle began that captured all there was. */
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

  /** Resolves after a run that began after this call, which callers before its begin share. Throws what stopped it. */
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

  /** Runs, unless a wait is under way, which ends by itself once there is something, and then uses the slot. */
  async nudge(): Promise<void> {
    if (!this.#watch.waiting) await this.run()
  }

  /** Runs until everything that was committed before this call is captured. Throws `unavailable`. */
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

  /** The time since everything committed was captured, in milliseconds; null where it never was yet. */
  get behindMs(): number | null {
    return this.#wholeAtMs === null ? null : this.#context.nowMs() - this.#wholeAtMs
  }

  /** Notes that something happened, so that the quiet by which capture slows down begins anew. */
  noteActivity(): void {
    const { storage, nowMs } = this.#context
    if (nowMs() - (storage.quietSinceMs ?? 0) >= QUIET_NOTE_MS) storage.quietSinceMs = nowMs()
  }

  /** True where a wait should begin now. */
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
    // Others may have committed between the peek and our commit, below our writes: after a write no place is passed.
    const past = state === null || this.#wrote ? ZERO_LSN : state.capturedTo
    const ownXid = this.#wrote ? this.#ownXid : null
    const atLeastMs = Math.min(this.#lastCycleMs, LONGEST_REST_MS)
    const order = { slotName, past, atLeastMs, ownXid, advanceTo, peek: peekOrder }
    const { done, peeked } = await this.#watch.wait(order)
    if (done && advanceTo !== null) advance.moved(advanceTo)
    this.#waited = peeked
  }

  /** Answers the pause before the next run, 0 when more is waiting; closes the connections before a long one. */
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
      // The message that was written for the target ends the wait.
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
        // Calls wait until writes of the same turn are durable, even later writes: deliveries get a turn of their own.
        await new Promise((resolve) => setTimeout(resolve))
      }
      const peeker = this.#watch.idleConnection
      const waited = this.#waited
      this.#waited = null
      // The wait that begins next moves the slot, beside the deliveries.
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

  /** Answers a position at or above every commit that returned before, flushed and so within the next cycle's reach. */
  async #freshTarget(database: Database): Promise<Lsn> {
    // This commit writes, and its flush takes earlier asynchronous commits along.
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
