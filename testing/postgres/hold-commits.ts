import type { Query } from '../../db/query.ts'
import type { Database } from '../../workers/database/index.ts'
import { until } from '../system/until.ts'

/** Makes commits wait for a standby that never comes, until `releaseCommits`; answers once they do. */
export async function holdCommits(query: Query, open: () => Promise<Database>): Promise<void> {
  await setStandby(query, 'nobody')
  const probe = await open()
  await probe.query('SET synchronous_commit = on')
  const [{ pid = null } = {}] = await probe.query('SELECT pg_backend_pid()::text AS pid')
  // Sessions have a setting before the checkpointer has it, which lets commits wait: only one that waits shows it.
  await until(async () => {
    let isCommitted = false
    const committed = probe.query(`SELECT pg_logical_emit_message(true, 'probe', '')`).then(() => {
      isCommitted = true
    })
    const isHeld = await until(async () => {
      const [session] = await query('SELECT wait_event FROM pg_stat_activity WHERE pid = $1::text::int', [pid])
      if (session?.wait_event === 'SyncRep') return 'held'
      return isCommitted && 'committed'
    })
    // Its commit stands, and it waits no longer.
    if (isHeld === 'held') await query('SELECT pg_cancel_backend($1::text::int)', [pid])
    await committed
    return isHeld === 'held'
  })
  await probe.close()
}

/** Lets commits go on; answers once this session knows it, which others may learn a moment later. */
export const releaseCommits = (query: Query): Promise<void> => setStandby(query, '')

async function setStandby(query: Query, standby: 'nobody' | ''): Promise<void> {
  await query(`ALTER SYSTEM SET synchronous_standby_names = '${standby}'`)
  await query('SELECT pg_reload_conf()')
  await until(async () => {
    const [row] = await query(`SELECT current_setting('synchronous_standby_names') AS standby`)
    return row?.standby === standby
  })
}
