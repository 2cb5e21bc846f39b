import { z } from 'zod'
import { ALTERED_TABLES } from '../../db/definition/table-shape.ts'
import type { Query } from '../../db/query.ts'
import { type Lsn, parsePgLsn, TidemarkError } from '../../protocol/index.ts'
import { sqlStateOf } from '../database/index.ts'
import type { EpochRow, ServerFacts } from './rules/epoch-decision.ts'
import type { ClientGroup, ServerFigures } from './rules/health-figures.ts'
import { outlineStatement } from './rules/statement-outline.ts'

const lsn = z.string().transform((text): Lsn => parsePgLsn(text))

const slotSchema = z.object({
  database: z.string().nullable(),
  plugin: z.string().nullable(),
  active: z.boolean(),
  wal_status: z.string().nullable(),
  invalidation_reason: z.string().nullish(),
  restart_lsn: lsn.nullable(),
  confirmed_flush_lsn: lsn.nullable(),
})

const epochSchema = z.object({
  id: z.string(),
  slot_name: z.string(),
  owner: z.string(),
  decoder: z.string(),
  system_identifier: z.string(),
  timeline: z.number(),
  start_lsn: lsn,
  head_lsn: lsn,
  floor_lsn: lsn,
  definition_version: z.number(),
})

/**
 * The flush position is read first, so that everything that ends at or below it is visible to the peek that follows.
 * `slotName` is a parameter's name, `altered` an expression: a synced table is not as it was when compared last.
 */
export const factsOf = (slotName: string, altered = `EXISTS (${ALTERED_TABLES})`): string => `
  SELECT pg_current_wal_flush_lsn()::text AS flush,
    current_database() AS database,
    (SELECT system_identifier::text FROM pg_control_system())
      || coalesce('/' || nullif(current_setting('neon.timeline_id', true), ''), '') AS system,
    ('x' || substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8))::bit(32)::int::text AS timeline,
    pg_snapshot_xmax(pg_current_snapshot())::text AS xid_horizon,
    (SELECT to_jsonb(s)::text FROM pg_replication_slots s WHERE s.slot_name = ${slotName}) AS slot,
    (SELECT to_jsonb(e)::text FROM tidemark.epoch e WHERE e.ended_at IS NULL) AS epoch,
    (SELECT max(version)::text FROM tidemark.sync_definition) AS latest_version,
    (${altered})::text AS altered,
    (SELECT jsonb_object_agg(u.table_id, u.version)::text FROM (
      SELECT table_id, max(version) AS version FROM tidemark.table_shape WHERE unplaced GROUP BY table_id) u) AS unplaced,
    (SELECT jsonb_build_object(
        'itself', jsonb_build_array(p.oid::text, p.puballtables, p.pubinsert, p.pubupdate, p.pubdelete, p.pubtruncate, p.pubviaroot),
        'tables', coalesce((SELECT jsonb_agg(to_jsonb(r) ORDER BY r.prrelid) FROM pg_publication_rel r WHERE r.prpubid = p.oid), '[]'))::text
      FROM pg_publication p WHERE p.pubname = 'tidemark') AS publication`

const FACTS = factsOf('$1')

const unplacedSchema = z.record(z.string(), z.number())
export type Unplaced = Readonly<z.infer<typeof unplacedSchema>>

export interface CycleFacts extends ServerFacts {
  /** A 64-bit id near every id in the log, to extend those of 32 bits. */
  readonly xidHorizon: bigint
  readonly latestDefinitionVersion: number | null
  /** True where a synced table is not as it was when it was compared last. */
  readonly altered: boolean
  /** Maps the id of each table that was altered at an unknown place to the last version below which that was. */
  readonly unplaced: Unplaced
  /** A text that changes with the publication, even where that was altered and put back; null when there is none. */
  readonly publication: string | null
}

function epochRow(text: string): EpochRow {
  const row = epochSchema.parse(JSON.parse(text))
  return {
    id: row.id,
    slotName: row.slot_name,
    owner: row.owner,
    decoder: row.decoder,
    systemIdentifier: row.system_identifier,
    timeline: row.timeline,
    startLsn: row.start_lsn,
    headLsn: row.head_lsn,
    floorLsn: row.floor_lsn,
    definitionVersion: row.definition_version,
  }
}

/** Reads all that a cycle must know before it peeks, in one statement. Throws `misconfigured` without our tables. */
export async function readFacts(query: Query, slotName: string): Promise<CycleFacts> {
  const [row] = await query(FACTS, [slotName]).catch((error: unknown) => {
    const missing = ['42P01', '3F000'].includes(sqlStateOf(error) ?? '')
    if (!missing) throw error
    throw new TidemarkError('misconfigured', "Tidemark's own tables are missing: run tidemark migrate.", {
      cause: error,
    })
  })
  return cycleFacts(row ?? {})
}

/** Reads a row of `factsOf`. */
export function cycleFacts(row: Record<string, string | null>): CycleFacts {
  const slot = row.slot ? slotSchema.parse(JSON.parse(row.slot)) : null
  return {
    flushLsn: parsePgLsn(row.flush ?? ''),
    database: row.database ?? '',
    systemIdentifier: row.system ?? '',
    timeline: Number(row.timeline),
    xidHorizon: BigInt(row.xid_horizon ?? 0),
    latestDefinitionVersion: row.latest_version ? Number(row.latest_version) : null,
    altered: row.altered === 'true',
    unplaced: unplacedSchema.parse(JSON.parse(row.unplaced ?? '{}')),
    publication: row.publication ?? null,
    epoch: row.epoch ? epochRow(row.epoch) : null,
    slot: slot && {
      database: slot.database,
      plugin: slot.plugin,
      active: slot.active,
      lost: slot.invalidation_reason ?? (slot.wal_status === 'lost' ? 'lost' : null),
      restartLsn: slot.restart_lsn,
      confirmedFlushLsn: slot.confirmed_flush_lsn,
    },
  }
}

/** Answers a position at or above every commit that returned before, flushed and so within the next cycle's reach. */
export async function readFreshTarget(query: Query): Promise<Lsn> {
  // This commit writes, and its flush takes earlier asynchronous commits along.
  await query(`SELECT pg_logical_emit_message(true, 'tidemark', 'head')`)
  const [row] = await query('SELECT pg_current_wal_flush_lsn()::text AS lsn')
  return parsePgLsn(row?.lsn ?? '')
}

/** Clients that are not heard of for this long count as gone, as `migration:status` has it; those that are not say so each week. */
const GONE = `now() - interval '30 days'`

const CLIENT_GROUPS = `
  SELECT coalesce(jsonb_agg(g), '[]') FROM (
    SELECT version, migration, count(*) AS count, count(*) FILTER (WHERE waiting > 0) AS waiting, count(*) FILTER (WHERE retries > 0) AS failing
    FROM tidemark.client_status WHERE told_at > ${GONE}
    GROUP BY version, migration ORDER BY version DESC, count(*) DESC LIMIT 20) AS g`

/** Reads for each consumer of all changes how long what it has to handle next has waited, and whether some of it is gone. */
const CONSUMERS = `
  SELECT coalesce(jsonb_agg(one), '[]') FROM (
    SELECT c.name, e.id IS DISTINCT FROM c.epoch OR c.lsn < e.floor_lsn AS "isLost",
      coalesce((SELECT (extract(epoch FROM clock_timestamp() - h.committed_at) * 1000)::bigint FROM tidemark.change_history h
        WHERE h.epoch = c.epoch AND (h.lsn, h.seq) > (c.lsn, c.seq) ORDER BY h.lsn, h.seq LIMIT 1), 0) AS "lagMs"
    FROM tidemark.consumer c LEFT JOIN tidemark.epoch e ON e.ended_at IS NULL ORDER BY 3 DESC, c.name LIMIT 20) AS one`

const FIGURES = `
  SELECT slot.retained, slot.safe, slot.restart, (SELECT hash FROM tidemark.sync_definition ORDER BY version DESC LIMIT 1) AS hash,
    (extract(epoch FROM clock_timestamp()) * 1000)::bigint::text AS clock,
    (SELECT jsonb_build_object('pid', pid, 'ms', (extract(epoch FROM clock_timestamp() - xact_start) * 1000)::bigint, 'query', left(query, 1000))::text
      FROM pg_stat_activity WHERE backend_xid IS NOT NULL AND pid <> pg_backend_pid() ORDER BY xact_start LIMIT 1) AS open_write,
    (SELECT (extract(epoch FROM max(clock_timestamp() - prepared)) * 1000)::bigint::text FROM pg_prepared_xacts) AS prepared,
    (SELECT jsonb_build_object('count', count(*), 'sqlStates', coalesce(jsonb_agg(DISTINCT sql_state) FILTER (WHERE sql_state IS NOT NULL), '[]'),
        'oldestMs', coalesce((extract(epoch FROM clock_timestamp() - min(since)) * 1000)::bigint, 0))::text
      FROM tidemark.stuck_mutation WHERE tries > 0) AS stuck,
    (${CONSUMERS})::text AS consumers,
    CASE WHEN $2::boolean THEN (${CLIENT_GROUPS})::text END AS clients
  FROM (SELECT) AS one LEFT JOIN LATERAL (
    SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)::bigint::text AS retained, safe_wal_size::text AS safe, restart_lsn::text AS restart
    FROM pg_replication_slots WHERE slot_name = $1) AS slot ON true`

const openWriteSchema = z.object({ pid: z.number(), ms: z.number(), query: z.string().nullable() })
const stuckSchema = z.object({ count: z.number(), sqlStates: z.array(z.string()), oldestMs: z.number() })
const consumersSchema = z.array(z.object({ name: z.string(), isLost: z.boolean(), lagMs: z.number() }))
const clientsSchema = z.array(
  z.object({
    version: z.number(),
    migration: z.string().nullable(),
    count: z.number(),
    waiting: z.number(),
    failing: z.number(),
  }),
)

/**
 * Reads the figures of the server that health shows, while a connection is open anyway; those of clients only where they are
 * asked for, as they are gone through one by one.
 */
export async function readFigures(
  query: Query,
  slotName: string,
  nowMs: () => number,
  withClients: boolean,
): Promise<ServerFigures & { readonly clients: readonly ClientGroup[] | null }> {
  const askedMs = nowMs()
  const [row] = await query(FIGURES, [slotName, String(withClients)])
  const answeredMs = nowMs()
  const openWrite = row?.open_write ? openWriteSchema.parse(JSON.parse(row.open_write)) : null
  const preparedMs = Number(row?.prepared ?? 0)
  return {
    retainedWalBytes: row?.retained ? Number(row.retained) : null,
    safeWalBytes: row?.safe ? Number(row.safe) : null,
    oldestWrite: oldestWrite(openWrite, preparedMs),
    restartLsn: row?.restart ? parsePgLsn(row.restart) : null,
    definitionHash: row?.hash ?? null,
    clockAheadMs: Number(row?.clock) - Math.round((askedMs + answeredMs) / 2),
    stuck: stuckSchema.parse(JSON.parse(row?.stuck ?? 'null')),
    consumers: consumersSchema.parse(JSON.parse(row?.consumers ?? '[]')),
    clients: row?.clients ? clientsSchema.parse(JSON.parse(row.clients)) : null,
  }
}

/** Forgets what clients that count as gone said of their schema; one that comes back says it again. Rule MIG-R21. */
export async function forgetGoneClients(query: Query): Promise<void> {
  await query(`DELETE FROM tidemark.client_status WHERE told_at <= ${GONE}`)
}

function oldestWrite(open: z.infer<typeof openWriteSchema> | null, preparedMs: number): ServerFigures['oldestWrite'] {
  if (preparedMs > (open?.ms ?? 0)) return { pid: null, ms: preparedMs, statement: null }
  return open && { pid: open.pid, ms: open.ms, statement: open.query && outlineStatement(open.query) }
}
