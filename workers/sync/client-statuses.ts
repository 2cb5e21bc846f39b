import type { SchemaFrame } from '../../protocol/index.ts'
import { backoffMs } from '../backoff.ts'
import { errorFrom, logFault } from '../typed-error.ts'
import type { SyncSession } from './sessions.ts'
import type { SyncContext } from './sync-context.ts'

/** Statuses stored by one statement; what is left is stored at the next waking. */
const STORED_AT_ONCE = 1_000
const AGAIN_MS = 60_000
/** A status that stays is told again after this long, because those that are not are taken for gone after 30 days. */
const RETOLD_MS = 7 * 24 * 60 * 60_000

/** What no column holds would keep the statuses of all others from being stored, as one statement stores them. */
const MAX_COUNT = 2_147_483_647

/** The statement changes nothing where a status is known already and was told lately, so that a repetition costs no row. */
const STORE = `
  INSERT INTO tidemark.client_status AS known (client_id, version, migration, waiting, fault, retries)
  SELECT client, version, migration, waiting, fault, retries
  FROM jsonb_to_recordset($1::jsonb) AS told(client text, version bigint, migration text, waiting integer, fault text, retries integer)
  ON CONFLICT (client_id) DO UPDATE SET version = excluded.version, migration = excluded.migration,
    waiting = excluded.waiting, fault = excluded.fault, retries = excluded.retries, told_at = now()
  WHERE (known.version, known.migration, known.waiting, known.fault, known.retries)
    IS DISTINCT FROM (excluded.version, excluded.migration, excluded.waiting, excluded.fault, excluded.retries)
    OR known.told_at < now() - interval '6 days'`

/** Notes what a client says of its schema; what is new is stored in Postgres a while later, for people to read. */
export function noteStatus(
  { storage, limits, intervals, nowMs }: SyncContext,
  session: SyncSession,
  frame: SchemaFrame,
): void {
  const { client, migration } = session.state
  if (client === null) return
  const { version } = frame
  const waiting = Math.min(frame.waiting, MAX_COUNT)
  const fault = frame.fault === null ? null : storable(frame.fault)
  const status = JSON.stringify({
    version,
    migration: migration && storable(migration),
    waiting,
    fault,
    retries: Math.min(frame.retries, MAX_COUNT),
    week: Math.floor(nowMs() / RETOLD_MS),
  })
  if (!storage.putStatus(client, status, limits.knownClients)) return
  if (storage.state.statusesAtMs === null) storage.update({ statusesAtMs: nowMs() + intervals.statusesMs })
}

/** Postgres stores no NUL and no half of a character, and a terminal obeys what controls it. */
const storable = (text: string): string =>
  text.replaceAll(/[\t\n\r]+/g, ' ').replaceAll(/[\p{Control}\p{Surrogate}]/gu, '')

/**
 * Stores what clients said since the last time, all of it by one statement. A failure is logged and concerns nothing
 * else: it is tried again a while later.
 */
export async function storeStatuses({ env, storage, withDatabase, intervals, nowMs }: SyncContext): Promise<void> {
  const told = storage.newStatuses(STORED_AT_ONCE)
  const rows = told.map(({ id, status }) => ({ client: id, ...(JSON.parse(status) as object) }))
  try {
    if (rows.length > 0) await withDatabase(({ query }) => query(STORE, [JSON.stringify(rows)]))
    for (const { id, status } of told) storage.statusStored(id, status)
  } catch (error) {
    logFault(env, errorFrom(error), error)
    // Other SyncDOs failed at the same time.
    storage.update({ statusesAtMs: nowMs() + backoffMs(1, Math.random(), AGAIN_MS, AGAIN_MS) })
    return
  }
  const isMore = storage.newStatuses(1).length > 0
  storage.update({ statusesAtMs: isMore ? nowMs() + intervals.statusesMs : null })
}
