import type { Query } from '../../db/query.ts'
import type { HealthCheck } from '../contracts.ts'
import { failCheck, limitCheck, okCheck } from './health-check.ts'

const MIN_SERVER_VERSION = 140_000

export function serverVersionCheck(versionNumber: number): HealthCheck {
  const figures = { value: versionNumber, threshold: MIN_SERVER_VERSION }
  return versionNumber >= MIN_SERVER_VERSION
    ? okCheck('server-version', figures)
    : failCheck('server-version', 'Postgres 14 or newer is needed: upgrade the server.', figures)
}

export function walLevelCheck(walLevel: string): HealthCheck {
  if (walLevel === 'logical') return okCheck('wal-level', { value: walLevel })
  return failCheck(
    'wal-level',
    'Logical decoding is off: set wal_level = logical and restart the server (on Neon: enable logical replication in the project settings).',
    { value: walLevel },
  )
}

export function replicationRoleCheck(role: { name: string; superuser: boolean; replication: boolean }): HealthCheck {
  if (role.superuser || role.replication) return okCheck('replication-role', { value: role.name })
  return failCheck(
    'replication-role',
    `Role ${role.name} may not read a replication slot: ALTER ROLE … REPLICATION (on Neon: connect as a role made in the console, by CLI or API).`,
    { value: role.name },
  )
}

export function freeSlotCheck(facts: { max: number; used: number; ownExists: boolean }): HealthCheck {
  const figures = { value: facts.used, threshold: facts.max, unit: 'slots' }
  if (facts.ownExists || facts.used < facts.max) return okCheck('replication-slots', figures)
  return failCheck(
    'replication-slots',
    'Every replication slot is taken: drop an unused one (pg_drop_replication_slot) or raise max_replication_slots and restart.',
    figures,
  )
}

/**
 * Tells whether a decoder's plugin may be used. `allowed` is the setting `output_plugin_libraries`; null on servers
 * that do not have it and forbid nothing.
 */
export function isPluginAllowed(plugin: string, allowed: string | null): boolean {
  if (allowed === null) return true
  const names = allowed.split(',').map((name) => name.trim().replace(/^"(.*)"$/, '$1'))
  return names.includes('*') || names.includes(plugin)
}

export function outputPluginCheck(facts: { allowed: string | null; slotPlugin: string | null }): HealthCheck {
  const { allowed, slotPlugin } = facts
  if (slotPlugin !== null && !isPluginAllowed(slotPlugin, allowed)) {
    return failCheck(
      'output-plugin',
      `The slot decodes with ${slotPlugin}, which output_plugin_libraries no longer allows: add it there, or drop the slot, which begins a new epoch.`,
      { value: slotPlugin },
    )
  }
  if (slotPlugin !== null) return okCheck('output-plugin', { value: slotPlugin })
  const usable = (['wal2json', 'pgoutput'] as const).filter((plugin) => isPluginAllowed(plugin, allowed))
  if (usable.length === 0) {
    return failCheck(
      'output-plugin',
      'Neither wal2json nor pgoutput is allowed: add pgoutput to output_plugin_libraries.',
      { value: allowed },
    )
  }
  return okCheck('output-plugin', { value: usable.join(', ') })
}

const OLD_TRANSACTION = { warn: 10 * 60, fail: 6 * 3600, unit: 's' }

/** Judges the age of the oldest transaction that has written and is still open or prepared. */
export function openTransactionCheck(ageSeconds: number): HealthCheck {
  return limitCheck(
    'open-transaction',
    ageSeconds,
    OLD_TRANSACTION,
    'A transaction that wrote is open for long: it pins the log and holds up new slots and snapshots. End it (pg_stat_activity, pg_prepared_xacts) and set idle_in_transaction_session_timeout.',
  )
}

// Read from pg_settings: a setting that the role may not see is merely absent there, while current_setting would fail.
const SERVER = `
  SELECT current_setting('server_version_num') AS version, current_setting('wal_level') AS wal_level,
    current_setting('max_replication_slots') AS max_slots,
    (SELECT setting FROM pg_settings WHERE name = 'output_plugin_libraries') AS plugins,
    (SELECT count(*) FROM pg_replication_slots)::text AS used_slots,
    (SELECT max(plugin::text) FROM pg_replication_slots WHERE slot_name = $1) AS slot_plugin,
    current_user::text AS role,
    (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)::text AS superuser,
    (SELECT rolreplication FROM pg_roles WHERE rolname = current_user)::text AS replication,
    (SELECT coalesce(max(extract(epoch FROM clock_timestamp() - began)), 0)::bigint FROM (
      SELECT xact_start AS began FROM pg_stat_activity WHERE backend_xid IS NOT NULL AND pid <> pg_backend_pid()
      UNION ALL SELECT prepared FROM pg_prepared_xacts) AS writing)::text AS oldest_seconds`

/** Checks that the server and the connecting role offer all that capture needs to begin. */
export async function checkServer(query: Query, slotName: string): Promise<HealthCheck[]> {
  const [row = {}] = await query(SERVER, [slotName])
  const slotPlugin = row.slot_plugin ?? null
  return [
    serverVersionCheck(Number(row.version)),
    walLevelCheck(row.wal_level ?? ''),
    replicationRoleCheck({
      name: row.role ?? '',
      superuser: row.superuser === 'true',
      replication: row.replication === 'true',
    }),
    freeSlotCheck({ max: Number(row.max_slots), used: Number(row.used_slots), ownExists: slotPlugin !== null }),
    outputPluginCheck({ allowed: row.plugins ?? null, slotPlugin }),
    openTransactionCheck(Number(row.oldest_seconds)),
  ]
}
