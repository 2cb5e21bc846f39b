import { DurableObject } from 'cloudflare:workers'
import { type DefinitionAnswer, type Lsn, type MigrationsAnswer, TidemarkError } from '../../protocol/index.ts'
import type {
  HealthNews,
  ReplicationHealth,
  ReplicationRpc,
  RightsGuard,
  SubscribeAnswer,
  SubscribeRequest,
  ToldHead,
} from '../contracts.ts'
import { SQL_STATE, sqlStateOf, withDatabase } from '../database/index.ts'
import type { SyncEnv } from '../env.ts'
import { log } from '../log.ts'
import type { LoggedAction, OperatorEvent, OperatorRequest, ReplicationOperations } from '../operations-contract.ts'
import { inSpan } from '../span.ts'
import { CaptureTally } from './capture-tally.ts'
import { HealthWebhook } from './health-webhook.ts'
import { logBatch } from './log-batch.ts'
import { LoginRates } from './login-rates.ts'
import { KeptMigrations, readMigrations } from './migrations.ts'
import { noteNews } from './note-news.ts'
import { MOST_MINUTES, OperationsStore } from './operations-store.ts'
import { OperatorActions } from './operator-actions.ts'
import { DEFAULT_SLOT_NAME, type ReplicationOptions } from './options.ts'
import { ReplicationLoop } from './replication-loop.ts'
import { ReplicationStorage } from './replication-storage.ts'
import { RightsMarks } from './rights-marks.ts'
import { Router } from './router.ts'
import { boundedIntervals } from './rules/interval.ts'
import { askedAt, noteCommit, owedMark, settleCalls } from './rules/owed-calls.ts'
import type { RoutedBatch } from './rules/subscription.ts'
import { LEASE_MS } from './rules/subscription.ts'
import { slotFault } from './slot.ts'

const DAY_MS = 86_400_000
const READS_MIGRATIONS = { applicationName: 'tidemark migrations' }

const MOST_SUBSCRIBERS_SHOWN = 200
/** An object for which nothing happens leaves memory after about ten seconds. */
const LEAVES_AFTER_MS = 8_000

/** The verdict is judged at most this often, as the figures behind it are read. */
const JUDGE_EVERY_MS = 10_000

/** A wait that ends, or whose object was killed, holds the slot for a moment; a slot that is gone is made anew. */
const SLOT_TRIES = 60
const SLOT_PAUSE_MS = 100

async function retryWhileSlotIsAway<Result>(run: () => Promise<Result>): Promise<Result> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await run()
    } catch (error) {
      const mayPass = sqlStateOf(error) === SQL_STATE.objectInUse || slotFault(error) !== null
      if (!mayPass || attempt === SLOT_TRIES) throw error
      // Callers that wait for one slot do not all ask at once.
      await new Promise((resolve) => setTimeout(resolve, SLOT_PAUSE_MS * (0.5 + Math.random())))
    }
  }
}

/**
 * Makes the class of the ReplicationDO, the one that reads the log.
 *
 * The file is long because a Durable Object's calls are methods of one class; each passes on to the part that does it.
 */
export function createReplicationObject(
  options: ReplicationOptions,
): new (
  ctx: DurableObjectState,
  env: SyncEnv,
) => DurableObject<SyncEnv> & ReplicationRpc {
  return class ReplicationObject extends DurableObject<SyncEnv> implements ReplicationRpc {
    readonly #loop: ReplicationLoop
    readonly #router: Router
    readonly #storage: ReplicationStorage
    readonly #tally: CaptureTally
    readonly #webhook: HealthWebhook
    readonly #operations: OperationsStore
    readonly #actions: OperatorActions
    readonly #logins: LoginRates
    #judgedAtMs = 0
    /** The number of calls under way that arm the alarm as they end. */
    #arming = 0
    readonly #rights = new RightsMarks()
    readonly #migrations = new KeptMigrations()

    constructor(ctx: DurableObjectState, env: SyncEnv) {
      super(ctx, env)
      const storage = new ReplicationStorage(ctx.storage.sql)
      this.#storage = storage
      const nowMs = () => Date.now()
      const operations = new OperationsStore(ctx.storage.sql)
      this.#operations = operations
      this.#logins = new LoginRates(ctx.storage.sql)
      const tally = new CaptureTally(nowMs, {
        most: MOST_MINUTES,
        read: () => operations.minutes(),
        write: (minutes) => operations.putMinutes(minutes),
      })
      this.#tally = tally
      this.#router = new Router({
        storage,
        objects: env.SYNC,
        nowMs,
        random: Math.random,
        background: (work) => ctx.waitUntil(this.#afterwards(work)),
        delivered: (commitMs) => tally.noteDelivered(commitMs),
      })
      this.#webhook = new HealthWebhook({
        env,
        storage,
        nowMs,
        random: Math.random,
        newId: () => crypto.randomUUID(),
        send: (url, init) => fetch(url, init),
        background: (work) => ctx.waitUntil(this.#afterwards(work)),
      })
      this.#loop = new ReplicationLoop({
        env,
        own: {
          owner: ctx.id.toString(),
          slotName: options.slotName ?? DEFAULT_SLOT_NAME,
          decoder: options.decoder ?? 'auto',
        },
        sync: options.sync ?? null,
        intervals: boundedIntervals(options.intervals),
        watch: options.watch ?? true,
        retentionMs: options.retention ? options.retention.days * DAY_MS : null,
        storage,
        router: this.#router,
        tally,
        heard: (batch) => this.#hear(batch),
        inSpan,
        onEvent: (event) => this.#noteEvent(event),
        nowMs,
        random: Math.random,
      })
      this.#actions = new OperatorActions({
        loop: this.#loop,
        router: this.#router,
        storage,
        store: operations,
        snapshots: env.SNAPSHOT,
        objects: env.SYNC,
        nowMs,
        onLogged: (action) => log(env, 'operator-action', { action }),
      })
    }

    /** Never throws: health shows what failed, and the next alarm is set whatever happened. */
    override async alarm(): Promise<void> {
      await this.#thenArm(async () => {
        try {
          this.#router.retryDue()
          await this.#loop.nudge()
        } catch (error) {
          log(this.env, 'capture-failed', { message: error instanceof Error ? error.message : 'It threw no Error.' })
        }
      })
    }

    async subscribe(request: SubscribeRequest): Promise<SubscribeAnswer> {
      const { place } = this.#storage
      const known = request.renewal && place ? this.#capturedTo(place.epoch) : null
      const renewedTo = known && place && this.#router.renew(request, place.epoch)
      if (place && known && renewedTo) {
        await this.#arm()
        return { ...place, routedTo: renewedTo, capturedTo: known, leaseMs: LEASE_MS }
      }
      this.#loop.noteActivity()
      const cold = this.#loop.state === null
      if (cold) await this.#runAndArm()
      const { epoch, capturedTo, definition } = this.#loop.requireState()
      const position = { epoch: epoch.id, to: capturedTo, definition }
      const routedTo = this.#router.subscribe(request, position)
      if (routedTo === null) throw new TidemarkError('unavailable', 'A later subscription holds; subscribe anew.')
      if (cold) await this.#arm()
      else this.ctx.waitUntil(this.#afterwards(this.#loop.nudge()))
      return { epoch: epoch.id, routedTo, capturedTo, definition, floor: epoch.floorLsn, leaseMs: LEASE_MS }
    }

    async definition(): Promise<DefinitionAnswer> {
      this.#loop.noteActivity()
      if (this.#loop.state === null) await this.#runAndArm()
      const { epoch, capturedTo, definition: inForce } = this.#loop.requireState()
      const { version, hash, definition } = inForce
      return { epoch: epoch.id, head: capturedTo, definitionVersion: version, definitionHash: hash, definition }
    }

    async migrations(from: number): Promise<MigrationsAnswer> {
      this.#loop.noteActivity()
      if (this.#loop.state === null) await this.#runAndArm()
      const { epoch, capturedTo, definition } = this.#loop.requireState()
      const place = { epoch: epoch.id, head: capturedTo, version: definition.version }
      const read = () => withDatabase(this.env, ({ query }) => readMigrations(query, place, from), READS_MIGRATIONS)
      return from >= place.version ? { epoch: place.epoch, versions: [] } : this.#migrations.of(place, from, read)
    }

    async unsubscribe(subscriber: string, version: number): Promise<void> {
      this.#loop.noteActivity()
      this.#router.unsubscribe(subscriber, version)
    }

    async kick(): Promise<void> {
      // A push has committed something, even if capture cannot see it now.
      this.#storage.owedCalls = noteCommit(this.#storage.owedCalls)
      this.#loop.noteActivity()
      this.ctx.waitUntil(this.#afterwards(this.#loop.nudge()))
    }

    async freshHead(subscriber: string | null, client: string | null = null): Promise<ToldHead> {
      this.#loop.noteActivity()
      return this.#thenArm(async () => {
        const { epoch, capturedTo } = await retryWhileSlotIsAway(() => this.#loop.runFresh())
        const toldTo = (client && this.#router.serverOf(client)) ?? subscriber
        if (toldTo !== null) this.#router.tell(toldTo)
        return { epoch: epoch.id, lsn: capturedTo, toldTo }
      })
    }

    async ensureAlarm(): Promise<void> {
      const armed = await this.ctx.storage.getAlarm()
      if (armed === null) await this.ctx.storage.setAlarm(Date.now())
      // One that is missing is mended, and mostly just about to be armed by a run that ends: no verdict changes by it.
      this.#judge(armed ?? Date.now())
    }

    async rightsGuard(userId: string): Promise<RightsGuard> {
      const { state, behindMs } = this.#loop
      const isWatched = (state?.definition.watched ?? []).length > 0
      return { mark: this.#rights.markOf(userId), behindMs: isWatched ? behindMs : null }
    }

    async owedCalls(): Promise<number | null> {
      const calls = this.#storage.owedCalls
      const mark = owedMark(calls, Date.now())
      if (mark !== null) this.#storage.owedCalls = askedAt(calls, mark)
      return mark
    }

    async settleCalls(mark: number, dueAtMs: number | null): Promise<void> {
      this.#storage.owedCalls = settleCalls(this.#storage.owedCalls, mark, dueAtMs)
    }

    async owedChanges(consumer: string): Promise<string | null> {
      const { epoch, capturedTo } = this.#storage.read()
      const mark = `${epoch}:${capturedTo}`
      return this.#storage.consumedTo(consumer) === mark ? null : mark
    }

    async settleChanges(consumer: string, mark: string): Promise<void> {
      this.#storage.noteConsumed(consumer, mark)
    }

    async report(news: HealthNews): Promise<void> {
      this.#tally.report(news)
      noteNews(this.#operations, news, Date.now())
    }

    async operations(): Promise<ReplicationOperations> {
      const nextCycleAtMs = await this.#nextCycleAtMs()
      return {
        nowMs: Date.now(),
        health: this.#healthAt(nextCycleAtMs),
        figuresAtMs: this.#loop.figuresAtMs,
        nextCycleAtMs,
        slotName: options.slotName ?? DEFAULT_SLOT_NAME,
        pause: this.#storage.pause,
        minutes: this.#tally.allMinutes,
        subscribers: this.#router.view(MOST_SUBSCRIBERS_SHOWN),
        snapshots: this.#operations.snapshots(),
        events: this.#operations.events(),
        actions: this.#operations.actions(),
      }
    }

    async operate(request: OperatorRequest): Promise<LoggedAction> {
      return this.#thenArm(() => this.#actions.operate(request))
    }

    async admitLogin(address: string): Promise<boolean> {
      return this.#logins.admit(address, Date.now())
    }

    async health(): Promise<ReplicationHealth> {
      return this.#healthAt(await this.#nextCycleAtMs())
    }

    /** The time of the next run; null where none will come. A run that ends has no alarm until it arms the next. Rule OPS-R25. */
    async #nextCycleAtMs(): Promise<number | null> {
      const isArming = this.#arming > 0
      return (await this.ctx.storage.getAlarm()) ?? (isArming || this.#arming > 0 ? Date.now() : null)
    }

    #healthAt(nextCycleAtMs: number | null): ReplicationHealth {
      const { check } = this.#webhook
      return this.#loop.health(nextCycleAtMs, check === null ? [] : [check])
    }

    /** Has the webhook told where the verdict is another than it was told last. */
    #judge(nextCycleAtMs: number | null): void {
      this.#judgedAtMs = Date.now()
      if (this.#loop.isInformed) this.#webhook.note(this.#healthAt(nextCycleAtMs))
    }

    #noteEvent(event: OperatorEvent): void {
      this.#operations.noteEvent(event)
      log(this.env, 'capture-event', { message: `${event.source}: ${event.text}` })
    }

    #hear(batch: RoutedBatch): void {
      logBatch(this.env, batch)
      this.#rights.note(batch)
      if (batch.hasMutations) this.#storage.owedCalls = noteCommit(this.#storage.owedCalls)
    }

    /** Answers up to where this epoch is captured, as far as is known without Postgres; else null. */
    #capturedTo(epoch: string): Lsn | null {
      const { state } = this.#loop
      const known = state === null ? this.#storage.read() : { epoch: state.epoch.id, capturedTo: state.capturedTo }
      return known.epoch === epoch ? known.capturedTo : null
    }

    #runAndArm(): Promise<void> {
      return this.#thenArm(() => this.#loop.run())
    }

    /** Finishes work that nobody waits for, then arms the alarm; health shows a failure. */
    #afterwards(work: Promise<unknown>): Promise<unknown> {
      return this.#thenArm(() => work.catch(() => {}))
    }

    /** Arms the alarm once the work has ended, however it did. */
    async #thenArm<Result>(work: () => Promise<Result>): Promise<Result> {
      this.#arming += 1
      try {
        return await work()
      } finally {
        await this.#arm().finally(() => {
          this.#arming -= 1
        })
      }
    }

    async #arm(): Promise<void> {
      const pauseMs = await this.#loop.rest()
      this.#tally.keep(pauseMs > LEAVES_AFTER_MS)
      const now = Date.now()
      const never = Number.POSITIVE_INFINITY
      const dueMs = Math.min(this.#router.nextDueMs ?? never, this.#webhook.dueMs ?? never)
      const atMs = Math.max(now, Math.min(now + pauseMs, dueMs))
      const armed = await this.ctx.storage.getAlarm()
      // Each write of an alarm is billed, and an earlier alarm does as well.
      if (armed === null || atMs < armed) await this.ctx.storage.setAlarm(atMs)
      const isDue = (this.#webhook.dueMs ?? never) <= now || now - this.#judgedAtMs >= JUDGE_EVERY_MS
      if (isDue) this.#judge(Math.min(armed ?? never, atMs))
      if (this.#loop.mayWatch) this.ctx.waitUntil(this.#watch())
    }

    /** Waits once inside Postgres, then runs; the run begins the next wait. */
    async #watch(): Promise<void> {
      await this.#loop.watch()
      await this.#afterwards(this.#loop.run())
    }
  }
}
