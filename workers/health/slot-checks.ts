import type { Query } from '../../db/query.ts'
import type { HealthCheck } from '../contracts.ts'
import { failCheck, limitCheck, okCheck, warnCheck } from './health-check.ts'

export interface SlotHealthFacts {
  readonly plugin: string
  /** The database of the slot, which decodes no other database. */
  readonly database: string
  readonly currentDatabase: string
  readonly active: boolean
  /** One of reserved, extended, unreserved, lost. */
  readonly walStatus: string
  /** From `restart_lsn` to the end of the log. */
  readonly retainedBytes: number
  /** `max_slot_wal_keep_size`; null where the server keeps everything. */
  readonly keepBytes: number | null
}

const GIB = 1024 ** 3
const NO_LIMIT = { warn: GIB, fail: 16 * GIB }

/** Judges whether the slot can still be read; null facts mean that there is none yet. */
export function slotStateCheck(name: string, facts: SlotHealthFacts | null): HealthCheck {
  if (facts === null) {
    return warnCheck(
      'slot',
      `There is no slot ${name} yet: capture makes it at its first cycle. If capture ran before, clients will hydrate anew.`,
    )
  }
  if (facts.database !== facts.currentDatabase) {
    return failCheck(
      'slot',
      `Slot ${name} belongs to database ${facts.database}: choose another slotName for this deployment.`,
      { value: facts.database },
    )
  }
  if (facts.walStatus === 'lost') {
    return failCheck(
      'slot',
      `Slot ${name} lost its log; capture replaces it, and clients hydrate anew. Raise max_slot_wal_keep_size if this recurs.`,
      { value: 'lost' },
    )
  }
  if (facts.walStatus === 'unreserved') {
    return warnCheck('slot', `Slot ${name} is about to lose its log: see that capture runs (/health/replication).`, {
      value: 'unreserved',
    })
  }
  return okCheck('slot', { value: facts.walStatus })
}

/** Judges how much log the slot holds back, against the most that the server keeps. */
export function retainedWalCheck(facts: Pick<SlotHealthFacts, 'retainedBytes' | 'keepBytes'>): HealthCheck {
  const { keepBytes, retainedBytes } = facts
  const limits = keepBytes === null ? NO_LIMIT : { warn: keepBytes / 2, fail: keepBytes * 0.9 }
  return limitCheck(
    'slot-retained-wal',
    retainedBytes,
    { ...limits, unit: 'bytes' },
    'The slot keeps much of the log on disk: see that capture runs and advances (/health/replication) and that no transaction stays open for long.',
  )
}

const SLOT = `
  SELECT s.plugin::text, s.database::text, current_database()::text AS current_database, s.active::text, s.wal_status,
    coalesce(pg_wal_lsn_diff(pg_current_wal_insert_lsn(), s.restart_lsn), 0)::text AS retained,
    (SELECT setting FROM pg_settings WHERE name = 'max_slot_wal_keep_size') AS keep_mb
  FROM pg_replication_slots s WHERE s.slot_name = $1 AND s.slot_type = 'logical'`

/** Reads one slot's state; null where there is no logical slot of that name. */
async function readSlotFacts(query: Query, slotName: string): Promise<SlotHealthFacts | null> {
  const [row] = await query(SLOT, [slotName])
  if (!row) return null
  const keepMegabytes = Number(row.keep_mb ?? -1)
  return {
    plugin: row.plugin ?? '',
    database: row.database ?? '',
    currentDatabase: row.current_database ?? '',
    active: row.active === 'true',
    walStatus: row.wal_status ?? 'lost',
    retainedBytes: Number(row.retained),
    keepBytes: keepMegabytes < 0 ? null : keepMegabytes * 1024 * 1024,
  }
}

export async function checkSlot(query: Query, slotName: string): Promise<HealthCheck[]> {
  const facts = await readSlotFacts(query, slotName)
  return facts === null ? [slotStateCheck(slotName, null)] : [slotStateCheck(slotName, facts), retainedWalCheck(facts)]
}
