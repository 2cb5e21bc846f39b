import type { HealthCheck } from '../../contracts.ts'
import type { HealthFigures, ServerFigures } from './health-figures.ts'
import { walGrowth } from './minute-figures.ts'
import { check, limited } from './one-check.ts'

const MIB = 1024 * 1024
const GIB = 1024 * MIB
const RETAINED_WARN_BYTES = GIB
const RETAINED_FAIL_BYTES = 8 * GIB
/** Above what a busy database writes between two checkpoints that moves the slot on. */
const GROWTH_WARN_BYTES = 256 * MIB
const SAFE_WARN_BYTES = GIB
const SAFE_FAIL_BYTES = 256 * MIB
const OPEN_WRITE_WARN_MS = 10 * 60_000

/** Judges what the slot holds back of the server's log, and what holds back the slot. */
export function logChecks(figures: HealthFigures): HealthCheck[] {
  return [slotCheck(figures), retainedCheck(figures), growthCheck(figures), safeCheck(figures), openWriteCheck(figures)]
}

function slotCheck({ slotPresent }: HealthFigures): HealthCheck {
  const message = 'The replication slot is missing or lost; the next cycle makes a new one and clients hydrate anew.'
  return check(
    'slot',
    slotPresent === false ? 'fail' : 'ok',
    slotPresent === null ? null : String(slotPresent),
    message,
  )
}

function retainedCheck({ server }: HealthFigures): HealthCheck {
  const bytes = server?.retainedWalBytes ?? null
  const status = bytes === null || bytes < RETAINED_WARN_BYTES ? 'ok' : bytes < RETAINED_FAIL_BYTES ? 'warn' : 'fail'
  const message = `The slot keeps much of the log on disk. See the other checks for why it does not advance, before the disk fills.${pinned(server)}`
  return check('retained-wal', status, bytes, message, 'bytes', RETAINED_WARN_BYTES)
}

function growthCheck({ minutes, server }: HealthFigures): HealthCheck {
  return limited(
    'wal-growth',
    walGrowth(minutes),
    'bytes',
    { warn: GROWTH_WARN_BYTES },
    `The log that the slot holds back grew at each of the last ten looks. See stalled, error and open-write-transaction.${pinned(server)}`,
  )
}

function safeCheck({ server }: HealthFigures): HealthCheck {
  const bytes = server?.safeWalBytes ?? null
  const status = bytes === null || bytes >= SAFE_WARN_BYTES ? 'ok' : bytes >= SAFE_FAIL_BYTES ? 'warn' : 'fail'
  const message = `So much more of the log, and the server drops the slot (max_slot_wal_keep_size), and every client hydrates anew: let capture go on, or raise the setting.${pinned(server)}`
  return check('safe-wal', status, bytes, message, 'bytes left', status === 'fail' ? SAFE_FAIL_BYTES : SAFE_WARN_BYTES)
}

function openWriteCheck({ server }: HealthFigures): HealthCheck {
  const message = `A transaction that has written stays open: every poll decodes the log since it began.${pinned(server)} Set idle_in_transaction_session_timeout.`
  const ageMs = server === null ? null : (server.oldestWrite?.ms ?? 0)
  return limited('open-write-transaction', ageMs, 'ms', { warn: OPEN_WRITE_WARN_MS }, message)
}

/** Names the transaction that keeps the slot's restart_lsn where it is, and how to end it. */
function pinned(server: ServerFigures | null): string {
  const write = server?.oldestWrite ?? null
  if (write === null) return ''
  const age = `open for ${Math.round(write.ms / 1_000)} s`
  if (write.pid === null)
    return ` A prepared transaction (${age}) holds it back: COMMIT PREPARED or ROLLBACK PREPARED, see pg_prepared_xacts.`
  const said = write.statement === null ? '' : `, last statement: ${write.statement}`
  return ` Process ${write.pid} (${age}${said}) holds it back: SELECT pg_terminate_backend(${write.pid}).`
}
