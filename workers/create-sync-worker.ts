import type { Actions, Sync, SyncTable } from '../db/index.ts'
import { REPLICATION_NAME } from './contracts.ts'
import type { SyncEnv } from './env.ts'
import { createApp } from './http/app.ts'
import { nearDatabase } from './near-database.ts'
import { checkOptions, type SyncWorkerOptions } from './options.ts'
import { callOwed } from './push/committed-calls.ts'
import type { ServerActions } from './push/options.ts'
import { createReplicationObject } from './replication/replication-object.ts'
import { createSnapshotObject } from './snapshot/snapshot-object.ts'
import { createSyncObject } from './sync/sync-object.ts'

/** The handlers of a Worker; mount `fetch` and `scheduled` under any other app, or export the object unchanged. */
export interface SyncWorker {
  /** `env` holds the bindings and secrets of `SyncEnv` beside the app's own. */
  fetch(request: Request, env: object, context?: object): Promise<Response>
  /** For a cron trigger, which revives capture whatever happened to its alarm. */
  scheduled(controller: object, env: object, context?: object): Promise<void>
}

export interface SyncWorkerParts {
  readonly worker: SyncWorker
  readonly ReplicationDO: ReturnType<typeof createReplicationObject>
  readonly SyncDO: ReturnType<typeof createSyncObject>
  readonly SnapshotDO: ReturnType<typeof createSnapshotObject>
}

/** Makes the Worker and its three Durable Object classes; export all four. Throws `misconfigured`. */
export function createSyncWorker<SyncActions extends Actions>(
  sync: Sync<Record<string, SyncTable>, SyncActions>,
  options: SyncWorkerOptions<SyncActions>,
): SyncWorkerParts {
  checkOptions(sync, options)
  const { authenticate, audiences, placement, decoder, slotName, retention, watch, intervals, limits, snapshots } =
    options
  const { onCommitted, pushTo, location } = options
  const near = location ? { location } : {}
  const push = {
    sync,
    // By the time they are called, their arguments have been checked by the action's own schema.
    ...(options.actions ? { actions: options.actions as ServerActions<Actions> } : {}),
    ...(onCommitted ? { onCommitted } : {}),
    ...(pushTo ? { pushTo } : {}),
    ...near,
  }
  const app = createApp({
    access: { authenticate, audiences, placement },
    push,
    ...(limits?.requests ? { requests: limits.requests } : {}),
    ...(options.cors ? { cors: options.cors } : {}),
    ...(options.history === undefined ? {} : { history: options.history }),
    ...(options.basePath === undefined ? {} : { basePath: options.basePath }),
  })
  /** Passes the runtime's `env` on unchecked: a missing binding shows where it is first used. */
  const boundEnv = (env: object) => nearDatabase(env as SyncEnv, location)
  const worker: SyncWorker = {
    fetch: async (request, env, context) => app.fetch(request, boundEnv(env), boundContext(context)),
    scheduled: async (_controller, env) => {
      await boundEnv(env).REPLICATION.getByName(REPLICATION_NAME).ensureAlarm()
      if (onCommitted) await callOwed(boundEnv(env), onCommitted)
    },
  }
  return {
    worker,
    ReplicationDO: createReplicationObject({
      sync,
      ...(decoder === undefined ? {} : { decoder }),
      ...(slotName === undefined ? {} : { slotName }),
      ...(retention === undefined ? {} : { retention }),
      ...(watch === undefined ? {} : { watch }),
      ...(intervals === undefined ? {} : { intervals }),
    }),
    SyncDO: createSyncObject({
      authenticate,
      audiences,
      push,
      ...near,
      ...(limits === undefined ? {} : { limits }),
      ...(intervals === undefined ? {} : { intervals }),
    }),
    SnapshotDO: createSnapshotObject(snapshots === undefined ? {} : { snapshots }),
  }
}

/** Without a context, as under a server of another kind, work goes on for as long as the process does. */
function boundContext(context: object | undefined): ExecutionContext | undefined {
  return context && 'waitUntil' in context ? (context as ExecutionContext) : undefined
}
