import type { Sync } from '../../db/define-sync.ts'
import {
  audienceOf,
  counterOf,
  type Definition,
  type Rejection,
  type Row,
  TidemarkError,
  type WireChange,
} from '../../protocol/index.ts'
import { openReplicaOn } from '../open-replica.ts'
import type { Replica } from '../replica-api.ts'
import { type OpenDatabase, openDatabase } from '../store/open-database.ts'
import { LocalServer } from './local-server.ts'
import { conflictPolicies } from './rules/decide-mutation.ts'
import { definitionOfSync } from './rules/definition-of-sync.ts'
import { rowTexts, type TestRows } from './rules/row-text.ts'
import { ServerTables } from './rules/server-tables.ts'

export interface TestReplicaOptions<S extends Sync> {
  /** Rows that the server holds from the start, by table; columns have drizzle's names and values. */
  readonly rows?: TestRows<S>
  /** Default `test-user`. */
  readonly user?: string
  /** What the user may see. Default: the audiences of `rows`, `user:<user>` and `all`. */
  readonly audiences?: readonly string[]
  /** `manually`: what is written waits for `confirmAll` or `reject`. Default `automatically`. */
  readonly confirm?: 'automatically' | 'manually'
}

/** A replica whose server is in the same process. */
export interface TestReplica<S extends Sync = Sync> {
  readonly replica: Replica<S>
  /** Confirms everything written so far, and resolves when the replica has heard of it. Rejects offline. */
  confirmAll(): Promise<void>
  /**
   * Refuses a mutation that is held, and resolves when the replica has heard of it; those before it are confirmed.
   * Rejects with `bad-input` where it is not held: open the replica with `confirm: 'manually'`.
   */
  reject(id: string, rejection: Pick<Rejection, 'kind'> & Partial<Rejection>): Promise<void>
  /** Writes rows as somebody else would, in one transaction, and resolves when they are here; known keys are updated. */
  serverWrites(rows: TestRows<S>): Promise<void>
  /** Deletes rows as somebody else would: of each row the key is read. */
  serverDeletes(rows: TestRows<S>): Promise<void>
  close(): Promise<void>
}

/**
 * Opens a replica in memory without any network: its outbox, rebase and confirmations are the real ones, its server
 * answers from rows in memory.
 *
 * Throws TidemarkError as `openReplica`, and `bad-input` for rows that do not fit the definition.
 */
export function openTestReplica<S extends Sync>(sync: S, options: TestReplicaOptions<S> = {}): Promise<TestReplica<S>> {
  return openTestReplicaOn(sync, options, openDatabase)
}

/** Works as `openTestReplica`, with the given function to open the database. */
export async function openTestReplicaOn<S extends Sync>(
  sync: S,
  { rows = {}, user = 'test-user', audiences, confirm = 'automatically' }: TestReplicaOptions<S>,
  open: OpenDatabase,
): Promise<TestReplica<S>> {
  const definition = definitionOfSync(sync)
  const seen = audiences ?? ['all', `user:${user}`, ...audiencesOf(definition, rowTexts(sync, rows))]
  const now = () => new Date().toISOString()
  const tables = new ServerTables(definition, seen, { now, uuid: () => crypto.randomUUID() })
  const writes = (written: TestRows<S>) =>
    rowTexts(sync, written).flatMap(({ table, row }) => tables.upsert(table, row))
  const first = writes(rows)
  const policies = conflictPolicies(sync)
  const server = new LocalServer({ definition, tables, audiences: seen, policies, holds: confirm === 'manually' })
  if (first.length > 0) server.commit(first)
  const replica = await openReplicaOn<S>(
    { url: 'http://server-of-a-test', user, token: () => 'token', sync, storage: 'memory://' },
    open,
    null,
    server.link,
  )
  const closing = new AbortController()
  await replica.ready
  const commit = async (changes: readonly WireChange[]) => {
    if (changes.length === 0) return
    server.commit(changes)
    await replica.reached(server.history.head)
  }
  return {
    replica,
    async confirmAll() {
      server.hold(false)
      try {
        await replica.settled()
      } finally {
        server.hold(confirm === 'manually')
      }
    },
    async reject(id, rejection) {
      const counter = counterOf(id)
      await heldOrPending(replica, server, id, closing.signal)
      server.decide(counter, { message: `Refused by the test: ${rejection.kind}.`, ...rejection })
      await replica.reached(server.history.head)
      await failed(replica, id)
    },
    serverWrites: async (written) => commit(writes(written)),
    serverDeletes: async (deleted) =>
      commit(rowTexts(sync, deleted).flatMap(({ table, row }) => tables.delete(table, row))),
    async close() {
      closing.abort()
      await replica.close()
    },
  }
}

function audiencesOf({ tables }: Definition, rows: readonly { readonly table: string; readonly row: Row }[]): string[] {
  const audiences = rows.flatMap(({ table, row }) => {
    const rule = tables.find(({ id }) => id === table)?.audience
    return (rule && audienceOf(rule, row)) ?? []
  })
  return [...new Set(audiences)].filter((audience) => audience !== 'all')
}

/** Resolves once the server holds a mutation; one that is still pending is on its way. */
async function heldOrPending(replica: Replica, server: LocalServer, id: string, signal: AbortSignal): Promise<void> {
  for (;;) {
    // Asked for before looking, so that what arrives while the record is read is not missed.
    const step = server.nextStep(signal)
    const record = await replica.mutation(id)
    if (server.held.includes(counterOf(id))) return
    const isOnItsWay = record?.status === 'pending' || record?.status === 'sent'
    if (!isOnItsWay || replica.status.phase === 'offline' || signal.aborted)
      throw new TidemarkError('bad-input', `The mutation ${id} is not held: confirm 'manually', and write it online.`)
    // It may wait behind a push that is held, of mutations before it: those are confirmed.
    for (const earlier of server.held) if (earlier < counterOf(id)) server.decide(earlier, null)
    await step
  }
}

/** Resolves once the replica offers the failure of this mutation. */
function failed(replica: Replica, id: string): Promise<void> {
  const isThere = () => replica.failures.some((failure) => failure.id === id)
  if (isThere()) return Promise.resolve()
  return new Promise((resolve) => {
    const stop = replica.subscribe(() => {
      if (!isThere()) return
      stop()
      resolve()
    })
  })
}
