import { env } from 'cloudflare:workers'
import {
  asLsn,
  type Change,
  clientAudience,
  formatPgLsn,
  LIMITS,
  type Lsn,
  SUBPROTOCOL,
  TOKEN_SUBPROTOCOL_PREFIX,
  type Transaction,
} from '../../protocol/index.ts'
import {
  type CaptureFigures,
  type DeliveryReceipt,
  REPLICATION_NAME,
  type RightsChange,
  type SubscribeAnswer,
} from '../../workers/contracts.ts'
import { withDatabase } from '../../workers/database/index.ts'
import type { DatabaseEnv } from '../../workers/env.ts'
import { createApp } from '../../workers/http/app.ts'
import { encodeTransaction } from '../encoded-transactions.ts'
import { signToken } from '../system/tokens.ts'
import { access, JWT_SECRET, type Stage, type StagedReplicationDO, type StagedSyncDO, stagedEnv } from './staged.ts'
import { TestSocket } from './test-socket.ts'

interface Namespaces {
  readonly STAGED_SYNC: DurableObjectNamespace<StagedSyncDO>
  readonly STAGED_REPLICATION: DurableObjectNamespace<StagedReplicationDO>
}

const { STAGED_SYNC, STAGED_REPLICATION } = env as unknown as Namespaces

export const replication = () => STAGED_REPLICATION.getByName(REPLICATION_NAME)
export const syncObject = (name: string) => STAGED_SYNC.getByName(name)

const app = createApp({
  access: { ...access, placement: undefined },
  push: { sync: { tables: {} } },
  cors: { origins: ['https://app.example'] },
})

/** Sends a request to the Worker's routes. */
export async function ask(path: string, init: RequestInit = {}): Promise<Response> {
  return app.fetch(new Request(`https://tidemark.test${path}`, init), stagedEnv(env))
}

/** Answers LSNs whose widths in Postgres' own form vary, across a rollover of the lower half. */
export function lsn(step: number): Lsn {
  return asLsn((0xfffffe00n + BigInt(step) * 0x10n).toString(16).padStart(16, '0'))
}

function xidOf(at: Lsn): string {
  return String((BigInt(`0x${at}`) >> 4n) % 1_000_000n)
}

let rows = 0
/** Makes an insert of a row that nobody inserted before. */
export function insert(audience: string, note = 'x'): Change {
  rows += 1
  return { op: 'insert', table: 'public.item', audience, data: { id: String(rows), note } }
}

export function transaction(at: Lsn, ...changes: Change[]): Transaction {
  return { lsn: at, xid: xidOf(at), committedAt: '2026-01-02T03:04:05.000006Z', changes }
}

export const DEFINITION = { version: 1, hash: 'h1', definition: { types: [], tables: [] } }

const NO_FIGURES: CaptureFigures = {
  sinceMs: 0,
  transactions: 0,
  rows: 0,
  mutations: {},
  faults: {},
  builds: { done: 0, failed: 0, totalMs: 0, lastFault: null },
  storedLagMs: null,
  deliveredLagMs: null,
  busyMs: 0,
  retainedWalBytes: null,
  safeWalBytes: null,
  oldestWriteMs: null,
  restartLsn: null,
  oldestWrite: null,
  consumers: [],
  stuckMutations: null,
  failedCycles: 0,
  subscribers: 0,
  subscribersBehind: 0,
  longestBehindMs: 0,
  unsent: { lateClients: 0, oldestMs: null, failedClients: 0 },
  clients: [],
  minutes: [],
}

export function stageOf(epoch: string, answer: Partial<SubscribeAnswer> = {}, rest: Partial<Stage> = {}): Stage {
  const routedTo = answer.routedTo ?? lsn(0)
  const place = { epoch, routedTo, capturedTo: routedTo, floor: lsn(0) }
  const full = { ...place, definition: DEFINITION, leaseMs: 600_000, ...answer }
  return {
    answer: full,
    freshHead: { epoch, lsn: full.routedTo },
    health: {
      status: 'ok',
      epoch,
      head: full.routedTo,
      decoder: null,
      decoderReason: null,
      lastCycleAt: null,
      checks: [],
      figures: NO_FIGURES,
    },
    failures: 0,
    ...rest,
  }
}

/** Makes this the current epoch, in the database as capture would and at the staged ReplicationDO. */
export async function beginEpoch(database: DatabaseEnv, epoch: string, floor: Lsn = lsn(0)): Promise<void> {
  await withDatabase(database, async ({ query }) => {
    await query(`UPDATE tidemark.epoch SET ended_at = now() WHERE ended_at IS NULL`)
    await query(
      `INSERT INTO tidemark.epoch (id, slot_name, owner, decoder, system_identifier, timeline, start_lsn, start_xid, head_lsn, floor_lsn, definition_version)
       VALUES ($1, 'none', 'test', 'pgoutput', '1', 1, $2::text::pg_lsn, '1', $2::text::pg_lsn, $2::text::pg_lsn, 1)`,
      [epoch, formatPgLsn(floor)],
    )
  })
  await replication().stage(stageOf(epoch, { floor, routedTo: floor }))
}

/** Stores transactions as capture does; `null` as audience is a row that nobody sees. */
export async function store(database: DatabaseEnv, epoch: string, transactions: readonly Transaction[]): Promise<void> {
  const values = transactions.flatMap(({ lsn, xid, committedAt, changes, mutation }) => {
    const rows = changes.map((change) => ({
      operation: change.op as string,
      table: change.table,
      audience: change.audience,
      key: 'key' in change ? change.key : 'data' in change ? { id: change.data.id } : null,
      data: ('data' in change ? change.data : null) as unknown,
    }))
    if (mutation) {
      const { client, ...data } = mutation
      const key = { client_id: client, counter: String(mutation.counter) }
      const audience = clientAudience(client)
      rows.unshift({ operation: 'mutation', table: 'tidemark.mutation', audience, key, data })
    }
    return rows.map((row, seq) => ({ ...row, seq, lsn: formatPgLsn(lsn), xid, at: committedAt }))
  })
  await withDatabase(database, ({ query }) =>
    query(
      `INSERT INTO tidemark.change_history (epoch, lsn, seq, xid, transaction_id, table_name, operation, row_key, data, audience, schema_version, committed_at)
       SELECT $1, (r->>'lsn')::pg_lsn, (r->>'seq')::int, (r->>'xid')::bigint, (r->>'xid')::xid8, r->>'table', r->>'operation',
         r->'key', r->'data', r->>'audience', 1, (r->>'at')::timestamptz
       FROM jsonb_array_elements($2::jsonb) AS r`,
      [epoch, JSON.stringify(values)],
    ),
  )
}

/** Delivers to a SyncDO as the ReplicationDO would, under its present subscription. */
export async function deliver(
  name: string,
  epoch: string,
  from: Lsn,
  to: Lsn,
  transactions: readonly Transaction[] | null,
  rights: RightsChange | null = null,
): Promise<DeliveryReceipt> {
  const { requests } = await replication().asked(name)
  const version = requests.at(-1)?.version ?? 0
  const encoded = transactions?.map(encodeTransaction) ?? null
  return await syncObject(name).deliver({ epoch, version, from, to, transactions: encoded, definition: null, rights })
}

/** Reads how Postgres was used so far: scans of, and inserts into, history and clients. */
export async function databaseUse(database: DatabaseEnv): Promise<Record<string, string | null>> {
  const found = await withDatabase(database, async ({ query }) => {
    await query('SELECT pg_stat_force_next_flush()')
    return query(
      `SELECT relname, (seq_scan + coalesce(idx_scan, 0))::text AS scans, n_tup_ins::text AS inserts
       FROM pg_stat_user_tables WHERE schemaname = 'tidemark' AND relname IN ('change_history', 'client') ORDER BY 1`,
    )
  })
  return Object.fromEntries(found.map((row) => [row.relname, `${row.scans} scans, ${row.inserts} inserts`]))
}

export interface Person {
  readonly userId: string
  readonly audiences: readonly string[]
  readonly lifetimeSeconds?: number
}

export const tokenOf = (person: Person): Promise<string> => signToken(JWT_SECRET, person)

/** Makes the headers of an upgrade whose subprotocol list carries the token. */
export function upgradeHeaders(token: string): Record<string, string> {
  const encoded = btoa(token).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')
  return { upgrade: 'websocket', 'sec-websocket-protocol': `${SUBPROTOCOL}, ${TOKEN_SUBPROTOCOL_PREFIX}${encoded}` }
}

export interface ConnectOptions {
  readonly client?: string
  readonly epoch?: string | null
  readonly cursor?: Lsn | null
  readonly definitionVersion?: number
  readonly definitionHash?: string
  readonly held?: readonly string[]
  readonly autoAck?: boolean
  readonly unsettled?: boolean
  /** The last migration that its page knows. */
  readonly migration?: string
}

/** Opens a socket through the Worker. */
export async function openSocket(person: Person): Promise<TestSocket> {
  const response = await ask('/sync/socket', { headers: upgradeHeaders(await tokenOf(person)) })
  if (!response.webSocket) throw new Error(`No socket: ${response.status} ${await response.text()}`)
  return new TestSocket(response.webSocket)
}

let clients = 0
export function newClient(): string {
  clients += 1
  return `test-client-${String(clients).padStart(8, '0')}`
}

/** Opens a socket and says hello: with `cursor`, as a replica that holds the state of that place. */
export async function connect(person: Person, options: ConnectOptions = {}): Promise<TestSocket> {
  const socket = await openSocket(person)
  const { epoch = null, cursor = null } = options
  socket.autoAck = options.autoAck ?? true
  socket.cursor = cursor
  socket.send({
    type: 'hello',
    protocol: LIMITS.protocolVersion,
    client: options.client ?? newClient(),
    epoch,
    cursor,
    definitionVersion: cursor === null ? null : (options.definitionVersion ?? DEFINITION.version),
    definitionHash: cursor === null ? null : (options.definitionHash ?? DEFINITION.hash),
    audiences: [...(options.held ?? person.audiences)],
    unsettled: options.unsettled ?? false,
    ...(options.migration === undefined ? {} : { migration: options.migration }),
  })
  return socket
}

/** Connects anew, as a client that hydrated at this place. */
export async function follow(
  person: Person,
  epoch: string,
  from: Lsn,
  options: ConnectOptions = {},
): Promise<TestSocket> {
  const socket = await connect(person, options)
  await socket.frame('welcome')
  socket.cursor = from
  socket.send({ type: 'stream', epoch, from })
  return socket
}
