import { type Lsn, TidemarkError, toTidemarkError, ZERO_LSN } from '../../protocol/index.ts'
import type { HealthCheck, ReplicationHealth } from '../contracts.ts'
import { type Database, openDatabase } from '../database/index.ts'
import type { CapturePause, OperatorEvent } from '../operations-contract.ts'
import { type InSpan, type NoteSpan, withoutSpan } from '../span-name.ts'
import { within } from '../within.ts'
import { Capture } from './capture.ts'
import type { CaptureState } from './capture-state.ts'
import { judgeCapture } from './judge-capture.ts'
import { LoopPace, type PaceContext } from './loop-pace.ts'
import { endsPause, PAUSED_LOOK_MS } from './rules/pause.ts'
import type { RoutedBatch } from './rules/subscription.ts'
import { isPooled } from './rules/watch.ts'
import { RunOutcome } from './run-outcome.ts'
import { readFreshTarget } from './server-facts.ts'
import type { WaitedPeek } from './short-peek.ts'
import { Upkeep, type UpkeepContext } from './upkeep.ts'
import { WalWatch } from './wal-watch.ts'

export interface LoopContext extends PaceContext, UpkeepContext {
  /** Called with each batch before it is routed. */
  readonly heard: (batch: RoutedBatch) => void
  readonly inSpan?: InSpan
  /** Called with what operators should know of. */
  readonly onEvent: (event: OperatorEvent) => void
}

/** One run ends after this long even if more is waiting; the alarm goes on. */
const RUN_MS = 15_000
const MAX_CYCLES_PER_RUN = 1_000
/** The connection is kept while the next cycle is this near. */
const KEEP_CONNECTION_MS = 5_000

/** After a longer pause than this changes were stored late on purpose. */
const TIMELY_PAUSE_MS = 15_000

/** A wait rests first as long as the last cycle took, to use half of its connections' time, but no longer than this. */
const LONGEST_REST_MS = 100

/** A wait is given this long to end before a run uses the slot beside it. */
const WAIT_END_MS = 1_000

/**
 * Runs capture cycles, one at a time, whoever asks for them.
 *
 * The file is long because runs, the wait between them and the pause share the one connection that may use the slot.
 */
export class ReplicationLoop {
  readonly #context: LoopContext
  readonly #capture: Capture
  readonly #watch: WalWatch
  readonly #outcome: RunOutcome
  readonly #pace: LoopPace
  readonly #upkeep: Upkeep
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
  /** The pause that was planned last before a run; null before the first. */
  #plannedPauseMs: number | null = null
  /** The time since which runs have not come to the end of the log; null where the last one did. */
  #busySinceMs: number | null = null
  /** The time at which the last cycle began that captured all there was. */
  #wholeAtMs: number | null = null
  /** The time at which a run last looked at the log while capture is paused. */
  #lookedAtMs = 0
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
    this.#pace = new LoopPace(context, this.#outcome, this.#watch)
    this.#upkeep = new Upkeep(context)
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
    if (this.#context.storage.pause !== null)
      throw new TidemarkError('unavailable', 'Capture is paused by an operator; try again later.')
    this.#freshWanted = Symbol('fresh head')
    await this.run()
    return this.requireState()
  }

  requireState(): CaptureState {
    const { state } = this.#capture
    if (state !== null) return state
    const isPaused = this.#context.storage.pause !== null
    throw new TidemarkError(
      'unavailable',
      isPaused ? 'Capture is paused by an operator; try again later.' : 'The history is not open yet; try again.',
    )
  }

  /** Stands still from now on, once a run under way has ended; a run looks at the log meanwhile. */
  async pause(pause: CapturePause): Promise<void> {
    const { storage } = this.#context
    storage.pause = pause
    this.#lookedAtMs = 0
    await this.#running?.catch(() => {})
    this.#busySinceMs = null
  }

  /** Begins a new history under a new slot. Throws what kept it from that, after which the next run tries again. */
  async rebuild(id: string): Promise<CaptureState> {
    const { storage } = this.#context
    // A run under way writes what it remembered at its begin.
    while (this.#running !== null) await this.#running.catch(() => {})
    storage.write({ ...storage.read(), rebuild: id })
    await this.run()
    return this.requireState()
  }

  /** The time since everything committed was captured, in milliseconds; null where it never was yet. */
  get behindMs(): number | null {
    return this.#wholeAtMs === null ? null : this.#context.nowMs() - this.#wholeAtMs
  }

  /** Notes that something happened, so that the quiet by which capture slows down begins anew. */
  noteActivity(): void {
    this.#pace.noteActivity()
  }

  /** True where a wait should begin now. */
  get mayWatch(): boolean {
    const isFree = this.#running === null && this.#next === null && !this.#watch.waiting
    return isFree && !this.#more && this.state !== null && this.#pace.watch.on
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
    const watching = this.#pace.watch.on
    const pauseMs = this.#pace.pauseMs(this.#more)
    this.#plannedPauseMs = pauseMs
    if (!watching) await this.#watch.close()
    if (pauseMs > KEEP_CONNECTION_MS && !watching && this.#running === null) await this.#disconnect()
    return pauseMs
  }

  /** True where health knows how capture is: before its first run an object does not. */
  get isInformed(): boolean {
    return this.#upkeep.figures !== null || this.#outcome.failure !== null
  }

  /** The time at which the server's figures were read; null: not since the object began. */
  get figuresAtMs(): number | null {
    return this.#upkeep.figures?.atMs ?? null
  }

  /** `others` are checks beside those of capture. */
  health(nextCycleAtMs: number | null, others: readonly HealthCheck[]): ReplicationHealth {
    return judgeCapture({
      context: this.#context,
      capture: this.#capture,
      outcome: this.#outcome,
      upkeep: this.#upkeep,
      watch: this.#pace.watch,
      state: this.#shown,
      nextCycleAtMs,
      busySinceMs: this.#busySinceMs,
      pause: this.#context.storage.pause,
      others: [...this.#upkeep.checks, ...others],
    })
  }

  async #begin(): Promise<void> {
    const { inSpan = withoutSpan } = this.#context
    const run = inSpan('tidemark.capture', (note) => this.#runNoted(note))
    this.#running = run
    try {
      await run
    } finally {
      if (this.#running === run) this.#running = null
    }
  }

  async #runNoted(note: NoteSpan): Promise<void> {
    const from = this.state?.capturedTo ?? null
    try {
      await this.#run()
    } finally {
      note({ epoch: this.state?.epoch.id ?? null, from, to: this.state?.capturedTo ?? null })
    }
  }

  async #run(): Promise<void> {
    try {
      if (await this.#staysPaused()) return
      const database = await this.#connect()
      const wanted = this.#freshWanted
      const target = wanted && (await readFreshTarget(database.query))
      // The message that was written for the target ends the wait.
      if (target !== null) await within(WAIT_END_MS, this.#wait)
      await this.#cycles(database, target)
      if (this.#more || !this.#pace.watch.on) await this.#capture.advance.moveSlot(database)
      // A run that fails leaves the wish to the next.
      if (this.#freshWanted === wanted) this.#freshWanted = null
      await this.#upkeep.readFigures(database)
      if (!this.#more) {
        this.#upkeep.prune()
        await this.#upkeep.forgetClients(database)
        await this.#upkeep.compareAudiences(database, this.#shown?.definition.definition.tables ?? [])
      }
      this.#outcome.succeed()
    } catch (error) {
      const fault = toTidemarkError(error)
      const before = this.#outcome.failure?.message
      this.#outcome.fail(fault)
      const { failure } = this.#outcome
      if (failure !== null && failure.message !== before)
        this.#context.onEvent({
          atMs: this.#context.nowMs(),
          source: 'capture',
          text: `${failure.kind}: ${failure.message}`,
        })
      this.#busySinceMs ??= this.#context.nowMs()
      this.#more = false
      await this.#disconnect()
      throw fault
    }
  }

  /**
   * Answers whether an operator has capture stand still. It looks at the log that the slot holds back meanwhile, now and then, and
   * ends the pause before that is too much. Rule OPS-R10.
   */
  async #staysPaused(): Promise<boolean> {
    const { storage, nowMs, onEvent } = this.#context
    const { pause } = storage
    if (pause === null) return false
    const end = (text: string) => {
      storage.pause = null
      onEvent({ atMs: nowMs(), source: 'pause', text })
      return false
    }
    if (nowMs() >= pause.untilMs) return end('The pause ended with its time.')
    if (nowMs() - this.#lookedAtMs < PAUSED_LOOK_MS) return true
    const database = await this.#connect()
    await this.#upkeep.readFigures(database)
    this.#lookedAtMs = nowMs()
    const reason = endsPause(this.#upkeep.figures?.server ?? null)
    if (reason !== null) return end(reason)
    await this.#disconnect()
    this.#outcome.succeed()
    this.#more = false
    this.#busySinceMs = null
    return true
  }

  async #cycles(database: Database, target: Lsn | null): Promise<void> {
    const { router, nowMs, env, heard, tally } = this.#context
    const isTimely = this.#outcome.failures > 0 || (this.#plannedPauseMs ?? Number.POSITIVE_INFINITY) <= TIMELY_PAUSE_MS
    const openReader = () => openDatabase(env, { applicationName: 'tidemark peek' })
    const begunMs = nowMs()
    this.#busySinceMs ??= begunMs
    for (let cycle = 0; cycle < MAX_CYCLES_PER_RUN; cycle += 1) {
      const { generation } = router
      const startedMs = nowMs()
      const distribute = async (batch: RoutedBatch) => {
        heard(batch)
        tally.noteStored(batch.stored, isTimely)
        router.route(batch, generation)
        // Calls wait until writes of the same turn are durable, even later writes: deliveries get a turn of their own.
        await new Promise((resolve) => setTimeout(resolve))
      }
      const peeker = this.#watch.idleConnection
      const waited = this.#waited
      this.#waited = null
      // The wait that begins next moves the slot, beside the deliveries.
      const deferAdvance = this.#pace.watch.on
      const options = { peeker, openReader, waited, deferAdvance }
      const { more, storedRows, ownXid } = await this.#capture.cycle(database, router.wanted, distribute, options)
      const endedMs = nowMs()
      this.#outcome.noteCycle(endedMs)
      this.#lastCycleMs = endedMs - startedMs
      this.#wrote = storedRows > 0
      this.#ownXid = ownXid
      this.#noteEpoch()
      if (storedRows > 0) this.#pace.noteActivity()
      const reached = target === null || (this.state !== null && this.state.capturedTo >= target)
      this.#more = more || this.state === null
      if (!this.#more) {
        this.#wholeAtMs = startedMs
        this.#busySinceMs = null
      }
      if ((!this.#more && reached) || this.#context.storage.pause !== null) break
      if (nowMs() - begunMs >= RUN_MS && this.state !== null) break
    }
    if (target !== null && this.requireState().capturedTo < target) {
      throw new TidemarkError('unavailable', 'Capture is far behind; try again.')
    }
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
    if (reason === null) return
    const isNews = reason !== 'first' && (this.#outcome.epochStarted?.reason !== reason || !told)
    if (isNews) this.#context.onEvent({ atMs: nowMs(), source: 'epoch', text: `A new history began: ${reason}.` })
    this.#outcome.noteEpochStarted(reason, nowMs())
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
}
