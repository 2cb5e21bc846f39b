import { DurableObject } from 'cloudflare:workers'
import { isClientAudience, type PushAnswer, SUBPROTOCOL } from '../../protocol/index.ts'
import { backoffMs } from '../backoff.ts'
import {
  type Delivery,
  type DeliveryReceipt,
  type FreshHead,
  type PushCall,
  SESSION_HEADER,
  type SyncHealth,
  type SyncRpc,
} from '../contracts.ts'
import type { SyncEnv } from '../env.ts'
import { log, logs } from '../log.ts'
import { nearDatabase } from '../near-database.ts'
import type { ClientOrderAnswer, SyncOperations } from '../operations-contract.ts'
import { PushLane } from '../push/push-lane.ts'
import { workerSessions } from '../push/push-sessions.ts'
import { inSpan } from '../span.ts'
import type { NoteSpan } from '../span-name.ts'
import { fullBucket, takeToken } from '../token-bucket.ts'
import { errorFrom, forRemote, logFault } from '../typed-error.ts'
import { Conversation } from './conversation.ts'
import { Duties } from './duties.ts'
import { Server } from './frame-server.ts'
import { HeadFollower } from './head-follower.ts'
import { DEFAULT_SYNC_INTERVALS, DEFAULT_SYNC_LIMITS, type SyncObjectOptions } from './options.ts'
import { Rights } from './rights.ts'
import { isServed } from './rules/session-state.ts'
import { mayServe } from './rules/window.ts'
import { decodeSession } from './session-header.ts'
import { Sessions, type SyncSession } from './sessions.ts'
import { ChangeLog } from './storage/change-log.ts'
import { SyncStorage } from './storage/sync-storage.ts'
import { Subscription } from './subscription.ts'
import { limitedDatabase, type SyncContext, whereIs } from './sync-context.ts'
import { syncHealth } from './sync-health.ts'
import { viewOperations } from './view-operations.ts'

/** Work that a failure or an eviction left behind is taken up this soon. */
const RESUME_MS = 100

/**
 * Makes the class of the SyncDO, which holds the sockets of the sessions placed there.
 *
 * The file is long because a Durable Object's calls are methods of one class; each passes on to the part that does it.
 */
export function createSyncObject(
  options: SyncObjectOptions,
): new (
  ctx: DurableObjectState,
  env: SyncEnv,
) => DurableObject<SyncEnv> & SyncRpc {
  return class SyncObject extends DurableObject<SyncEnv> implements SyncRpc {
    readonly #context: SyncContext
    readonly #subscription: Subscription
    readonly #follower: HeadFollower
    readonly #server: Server
    readonly #conversation: Conversation
    readonly #rights: Rights
    readonly #duties: Duties
    readonly #lane: PushLane | null

    constructor(ctx: DurableObjectState, env: SyncEnv) {
      super(ctx, env)
      const limits = { ...DEFAULT_SYNC_LIMITS, ...options.limits }
      const storage = new SyncStorage(ctx.storage.sql)
      this.#context = {
        env: nearDatabase(env, options.location),
        storage,
        log: new ChangeLog(ctx.storage.sql),
        sessions: new Sessions(ctx, storage, limits.windowChars),
        limits,
        intervals: { ...DEFAULT_SYNC_INTERVALS, ...options.intervals },
        access: { authenticate: options.authenticate, audiences: options.audiences },
        nowMs: () => Date.now(),
        withDatabase: limitedDatabase(env, limits.databaseConnections),
        background: (work) => this.ctx.waitUntil(this.#inBackground(work)),
      }
      const { push } = options
      const background = (work: Promise<void>) => ctx.waitUntil(work)
      this.#lane = push ? new PushLane({ sessions: workerSessions(env), nowMs: this.#context.nowMs, background }) : null
      this.#subscription = new Subscription(this.#context, {
        onEpoch: () => {
          // Nobody tells what happened between the two histories.
          if (this.#context.storage.state.watches) this.#rights.changed('all')
          this.#server.refuseOutdated()
          this.#server.rehydrateAll('epoch')
        },
        onDefinition: () => {
          this.#server.refuseOutdated()
          this.#server.rehydrateAll('definition')
        },
        onWatch: () => this.#rights.changed('all'),
        onTarget: () => this.#catchUp(),
      })
      this.#server = new Server(this.#context, this.#subscription)
      this.#rights = new Rights(this.#context, this.#subscription, (session) => this.#server.serve(session, true))
      this.#conversation = new Conversation(this.#context, this.#subscription, this.#server, this.#rights)
      this.#follower = new HeadFollower(this.#context, this.#subscription, {
        onRights: (users) => this.#rights.changed(users),
        onDelivered: (transactions, head, to) => this.#server.sendDelivered(transactions, head, to),
        onHead: () => this.#server.broadcast(),
      })
      this.#duties = new Duties(this.#context, {
        subscription: this.#subscription,
        follower: this.#follower,
        server: this.#server,
        conversation: this.#conversation,
        rights: this.#rights,
      })
      if (this.#context.sessions.count === 0 && storage.state.subscribed && storage.state.emptySinceMs === null) {
        storage.update({ emptySinceMs: Date.now() })
      }
      // An alarm takes up what an eviction interrupted, since a constructor must not wait for others.
      if (this.#interrupted()) storage.update({ retryAtMs: storage.state.retryAtMs ?? Date.now() + RESUME_MS })
      void ctx.blockConcurrencyWhile(() => this.#arm())
    }

    /** Takes a socket whose session the Worker has authenticated. */
    override async fetch(request: Request): Promise<Response> {
      const right = decodeSession(request.headers.get(SESSION_HEADER))
      if (!right || request.headers.get('upgrade')?.toLowerCase() !== 'websocket') {
        return new Response(null, { status: 400 })
      }
      const { storage, sessions, limits, nowMs } = this.#context
      const rate = storage.connectBucket(right.userId) ?? fullBucket(limits.connects, nowMs())
      const bucket = takeToken(rate, limits.connects, nowMs())
      if (!bucket || sessions.ofUser(right.userId).length >= limits.socketsPerUser) {
        return new Response(null, { status: 429 })
      }
      storage.putConnectBucket(right.userId, bucket)
      storage.update({ name: right.syncName, emptySinceMs: null })
      const { 0: client, 1: server } = new WebSocketPair()
      sessions.accept(server, right, limits, nowMs())
      await this.#arm()
      return new Response(null, { status: 101, webSocket: client, headers: { 'sec-websocket-protocol': SUBPROTOCOL } })
    }

    override async webSocketMessage(socket: WebSocket, message: string | ArrayBuffer): Promise<void> {
      const session = this.#context.sessions.of(socket)
      if (!session?.open) return
      const { nowMs } = this.#context
      let deadlines = true
      try {
        if (!this.#server.expire(session)) deadlines = await this.#conversation.receive(session, message)
      } catch (error) {
        const fault = errorFrom(error)
        logFault(this.env, fault, error, whereIs(this.#context, session))
        session.fault(fault, nowMs())
      }
      await this.#arm(deadlines)
    }

    override async webSocketClose(socket: WebSocket, code: number): Promise<void> {
      const session = this.#context.sessions.of(socket)
      if (session) log(this.env, 'session-closed', { ...whereIs(this.#context, session), code })
      // 1005 and 1006 only report; they cannot be sent.
      session?.close(code === 1005 || code === 1006 ? 1000 : code, 'bye')
      await this.#leave(session)
    }

    override async webSocketError(socket: WebSocket): Promise<void> {
      await this.#leave(this.#context.sessions.of(socket))
    }

    async deliver(delivery: Delivery): Promise<DeliveryReceipt> {
      try {
        return await inSpan('tidemark.deliver', async (note) => {
          const receipt = await this.#follower.deliver(delivery)
          const { epoch, from, to, transactions } = delivery
          note({
            object: this.#context.storage.state.name,
            epoch,
            from,
            to,
            transactions: transactions?.length ?? null,
          })
          this.#logDelivery(delivery, receipt)
          return receipt
        })
      } catch (error) {
        throw forRemote(error)
      } finally {
        await this.#arm()
      }
    }

    async push(call: PushCall): Promise<PushAnswer | null> {
      try {
        return await inSpan('tidemark.push', (note) => this.#decide(call, note))
      } catch (error) {
        throw forRemote(error)
      }
    }

    async #decide(call: PushCall, note: NoteSpan): Promise<PushAnswer | null> {
      const { push } = options
      if (!push || !this.#lane) return null
      const answer = await this.#lane.push({ ...call, push, env: { ...this.env } })
      const statuses = answer?.outcomes.map(({ status }) => status) ?? []
      const rejected = statuses.filter((status) => status === 'rejected').length
      note({ mutations: statuses.length, rejected })
      return answer
    }

    #logDelivery({ epoch, from, to, transactions }: Delivery, { head }: DeliveryReceipt): void {
      if (!logs(this.env, 'debug')) return
      const told = transactions === null ? {} : { transactions: transactions.map(({ lsn }) => lsn) }
      const { name: object } = this.#context.storage.state
      log(this.env, 'delivery-received', { object, epoch, from, to, head, ...told })
    }

    async announce(head: FreshHead, userId: string): Promise<void> {
      const { storage, sessions } = this.#context
      if (storage.state.epoch === null || sessions.ofUser(userId).length === 0) return
      try {
        if (storage.state.epoch === head.epoch) await this.#follower.reach(head.lsn)
        else await this.#subscription.renew()
        this.#server.broadcast(true, sessions.ofUser(userId))
      } catch (error) {
        throw forRemote(error)
      } finally {
        await this.#arm()
      }
    }

    async health(): Promise<SyncHealth> {
      return syncHealth(this.#context.storage.state, {
        sockets: this.#context.sessions.count,
        audiences: [...this.#context.storage.audiences.keys()].filter((name) => !isClientAudience(name)).length,
        nowMs: this.#context.nowMs(),
        unsent: this.#context.sessions.unsent(this.#context.nowMs()),
        refused: [...this.#context.sessions].flatMap(({ state }) =>
          state.refused?.count ? [state.refused.first] : [],
        ),
      })
    }

    async operations(): Promise<SyncOperations> {
      return viewOperations(this.#context, await this.health())
    }

    async rehydrateClient(client: string): Promise<ClientOrderAnswer> {
      const { sessions, storage, nowMs } = this.#context
      const isRepeated = !storage.clients.order(client, nowMs())
      const told = isRepeated ? [] : sessions.ofClient(client)
      // One that greets is told by its welcome.
      for (const session of told) if (isServed(session.state.phase)) this.#server.rehydrate(session, 'diverged')
      await this.#arm()
      return { sockets: told.length, isRepeated }
    }

    async disconnectClient(client: string): Promise<ClientOrderAnswer> {
      const { sessions, nowMs } = this.#context
      const told = sessions.ofClient(client)
      for (const session of told)
        session.refuse('unavailable', 'An operator ended the connection; connect again.', nowMs())
      await this.#arm()
      return { sockets: told.length, isRepeated: false }
    }

    /** Does everything that is due, for whatever the alarm was set; what fails is tried again with backoff. */
    override async alarm(): Promise<void> {
      try {
        this.#context.storage.update({ retryAtMs: null })
        await this.#duties.runDue()
      } catch (error) {
        this.#retryLater(error)
      } finally {
        await this.#arm()
      }
    }

    /** Runs work that is tried again by alarm where it fails; where it succeeds, the backoff ends. */
    async #inBackground(work: () => Promise<void>): Promise<void> {
      try {
        await work()
        this.#context.storage.update({ failures: 0 })
      } catch (error) {
        this.#retryLater(error)
      }
      await this.#arm()
    }

    #catchUp(): void {
      if (this.#follower.behind)
        this.#context.background(() => this.#follower.reach(this.#context.storage.state.target))
    }

    #interrupted(): boolean {
      const { sessions, storage, limits } = this.#context
      if (this.#follower.behind) return true
      for (const { state, rightsInDoubt } of sessions) {
        if (state.phase === 'greeting' || rightsInDoubt) return true
        const ahead =
          state.phase === 'streaming' && state.position !== null && state.position.lsn < (storage.state.head ?? '')
        if (ahead && mayServe(state, limits.windowChars) && storage.state.noticeAtMs === null) return true
      }
      return false
    }

    async #leave(session: SyncSession | null): Promise<void> {
      const { sessions, storage, nowMs } = this.#context
      if (!session) return
      sessions.drop(session)
      if (sessions.count === 0) storage.update({ emptySinceMs: nowMs() })
      await this.#arm()
    }

    #retryLater(error: unknown): void {
      const { storage, nowMs } = this.#context
      logFault(this.env, errorFrom(error), error, { object: storage.state.name })
      const failures = storage.state.failures + 1
      storage.update({ failures, retryAtMs: nowMs() + backoffMs(failures, Math.random()) })
    }

    /** Without `deadlines` those of sessions are not gone through: acknowledgements come too often, and only put them off. */
    async #arm(deadlines = true): Promise<void> {
      const atMs = this.#duties.nextAlarmMs(deadlines)
      const armed = await this.ctx.storage.getAlarm()
      if (atMs === null) {
        if (armed !== null && deadlines) await this.ctx.storage.deleteAlarm()
      } else if (armed === null || atMs < armed) {
        await this.ctx.storage.setAlarm(atMs)
      }
    }
  }
}
