import { DurableObject } from 'cloudflare:workers'
import type { DatabaseEnv } from '../../workers/env.ts'

/*
 * Stands in for an app until workers/index.ts exports createSyncWorker: then its three classes and its worker take the
 * places of these, each class extended so that its environment passes through `withTestDatabase`.
 */

let database: DatabaseEnv | null = null

/** Points the objects made from now on at a database of the test file's own; bindings are one for all files. */
export function useDatabase(env: DatabaseEnv): void {
  database = env
}

function withTestDatabase<Env extends object>(env: Env): Env & DatabaseEnv {
  if (database === null) throw new Error('Call useDatabase before a Durable Object is made.')
  return { ...env, ...database }
}

class Bare extends DurableObject<DatabaseEnv> {
  constructor(ctx: DurableObjectState, env: DatabaseEnv) {
    super(ctx, withTestDatabase(env))
  }
}

export class ReplicationDO extends Bare {}
export class SyncDO extends Bare {}
export class SnapshotDO extends Bare {}

export default {
  fetch: () => new Response('Not found.', { status: 404 }),
} satisfies ExportedHandler
