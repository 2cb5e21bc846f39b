import { DurableObject } from 'cloudflare:workers'
import { type DefinitionAnswer, type MigrationsAnswer, TidemarkError } from '../../protocol/index.ts'
import { jwt } from '../../workers/access/jwt.ts'
import type {
  FreshHead,
  ReplicationHealth,
  ReplicationRpc,
  RightsGuard,
  SnapshotRpc,
  SubscribeAnswer,
  SubscribeRequest,
  ToldHead,
} from '../../workers/contracts.ts'
import type { SyncEnv } from '../../workers/env.ts'
import type { LoggedAction, ReplicationOperations } from '../../workers/operations-contract.ts'
import { createSyncObject } from '../../workers/sync/sync-object.ts'
import { watchObject, watchReplication } from './failpoints.ts'
import { withTestDatabase } from './test-database.ts'

export const JWT_SECRET = 'a secret of the tests, long enough for HS256'
export const ADMIN_TOKEN = 'operator-of-the-tests'

/** Tokens list their audiences themselves. */
export const access = jwt({
  secret: JWT_SECRET,
  audiences: (claims) => (Array.isArray(claims.audiences) ? claims.audiences.map(String) : []),
})

/** A user whose token lists this also sees the orgs that `staged_membership` gives when the SyncDO asks. */
export const WATCHING = 'user:watching'

/** Limits that are easy to exceed, and fill again so slowly that even a slow machine does not stay below them. */
export const STAGED_LIMITS = {
  logChars: 60_000,
  frameChars: 4_000,
  windowChars: 20_000,
  socketsPerUser: 8,
  connects: { burst: 12, refillMs: 60_000 },
  messages: { burst: 400, refillMs: 60_000 },
}
const STAGED_INTERVALS = {
  headNoticeMs: 300,
  eagerMs: 0,
  helloMs: 60_000,
  stallMs: 60_000,
  lingerMs: 60_000,
  statusesMs: 100,
}

interface StagedBindings {
  readonly STAGED_REPLICATION: SyncEnv['REPLICATION']
  readonly STAGED_SYNC: SyncEnv['SYNC']
  readonly STAGED_SNAPSHOT: SyncEnv['SNAPSHOT']
}

/** Makes the environment in which the real SyncDO and routes meet the staged rest. */
export function stagedEnv(env: object): SyncEnv {
  const bindings = env as StagedBindings
  return {
    ...withTestDatabase({}),
    REPLICATION: bindings.STAGED_REPLICATION,
    SYNC: bindings.STAGED_SYNC,
    SNAPSHOT: bindings.STAGED_SNAPSHOT,
    ADMIN_TOKEN,
  }
}

const SyncObject = createSyncObject({
  authenticate: access.authenticate,
  audiences: async (request) => {
    const listed = await access.audiences(request)
    if (!listed.includes(WATCHING)) return listed
    const rows =
      await request.sql`SELECT org FROM public.staged_membership WHERE user_id = ${request.userId} ORDER BY org`
    return [...listed, ...rows.map((row) => `org:${row.org}`)]
  },
  limits: STAGED_LIMITS,
  intervals: STAGED_INTERVALS,
})

export class StagedSyncDO extends SyncObject {
  constructor(ctx: DurableObjectState, env: object) {
    watchObject(ctx)
    super(ctx, watchReplication(stagedEnv(env)))
  }
}

export interface Stage {
  readonly answer: SubscribeAnswer
  readonly freshHead: FreshHead
  readonly health: ReplicationHealth
  /** The number of calls of `subscribe` that fail before one succeeds. */
  readonly failures: number
}

/** A ReplicationDO that answers as it was staged, and remembers the requests that it got. */
export class StagedReplicationDO extends DurableObject implements ReplicationRpc {
  #stage: Stage | null = null
  #gates: (() => void)[] | null = null
  readonly #subscribes: SubscribeRequest[] = []
  readonly #left = new Map<string, number>()

  stage(stage: Stage): void {
    this.#stage = stage
  }

  /** Lets subscribing wait from now on, until `release`. */
  hold(): void {
    this.#gates ??= []
  }

  release(): void {
    for (const open of this.#gates ?? []) open()
    this.#gates = null
  }

  /** Answers the requests of one subscriber, oldest first, with true in `left` once it has left. */
  asked(subscriber: string): { requests: SubscribeRequest[]; left: boolean; leftVersion: number } {
    const requests = this.#subscribes.filter((request) => request.subscriber === subscriber)
    return { requests, left: this.#left.has(subscriber), leftVersion: this.#left.get(subscriber) ?? 0 }
  }

  async subscribe(request: SubscribeRequest): Promise<SubscribeAnswer> {
    this.#subscribes.push(request)
    const answer = this.#staged().answer
    if (this.#gates) await new Promise<void>((resolve) => this.#gates?.push(resolve))
    const { failures } = this.#staged()
    if (failures > 0) {
      this.#stage = { ...this.#staged(), failures: failures - 1 }
      throw new TidemarkError('unavailable', 'Capture is away.')
    }
    return answer
  }

  async unsubscribe(subscriber: string, version: number): Promise<void> {
    this.#left.set(subscriber, version)
  }

  async kick(): Promise<void> {}
  async report(): Promise<void> {}
  async ensureAlarm(): Promise<void> {}
  async settleCalls(): Promise<void> {}

  async operations(): Promise<ReplicationOperations> {
    throw new TidemarkError('unavailable', 'None is staged.')
  }

  async operate(): Promise<LoggedAction> {
    throw new TidemarkError('unavailable', 'None is staged.')
  }

  async admitLogin(): Promise<boolean> {
    return true
  }

  async owedCalls(): Promise<number | null> {
    return 1
  }

  async rightsGuard(): Promise<RightsGuard> {
    return { mark: 'staged', behindMs: null }
  }

  async freshHead(subscriber: string | null): Promise<ToldHead> {
    return { ...this.#staged().freshHead, toldTo: subscriber }
  }

  async migrations(from: number): Promise<MigrationsAnswer> {
    return { epoch: `after ${from}`, versions: [] }
  }

  async definition(): Promise<DefinitionAnswer> {
    throw new TidemarkError('unavailable', 'None is staged.')
  }

  async owedChanges(): Promise<string | null> {
    return null
  }

  async settleChanges(): Promise<void> {}

  async health(): Promise<ReplicationHealth> {
    return this.#staged().health
  }

  #staged(): Stage {
    if (this.#stage === null) throw new Error('Set the stage first.')
    return this.#stage
  }
}

export class StagedSnapshotDO extends DurableObject implements SnapshotRpc {
  async sums(): Promise<{ sums: string }> {
    throw new Error('Nobody asks for sums here.')
  }

  async manifest(audience: string): Promise<{ manifest: string }> {
    return { manifest: JSON.stringify({ audience }) }
  }

  async drop(): Promise<boolean> {
    return false
  }

  async chunk(id: string): Promise<Uint8Array | null> {
    return id.startsWith('a') ? new TextEncoder().encode(`chunk ${id}`) : null
  }
}
