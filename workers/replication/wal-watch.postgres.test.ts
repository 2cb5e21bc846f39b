import { beforeAll, describe, expect, test } from 'vitest'
import { asLsn, type Lsn, parsePgLsn, ZERO_LSN } from '../../protocol/index.ts'
import { servers } from '../../testing/postgres/servers.ts'
import { useConnection, useTestDatabase } from '../../testing/postgres/use-test-database.ts'
import { WalWatch } from './wal-watch.ts'

const FAR = asLsn('f'.repeat(16))
const waitFor = (past: Lsn) => ({ slotName: 'none', past, atLeastMs: 0, ownXid: null, advanceTo: null, peek: null })

describe.each(['embedded', 'system'] as const)('waiting inside the %s Postgres', (server) => {
  const own = useTestDatabase(servers()[server])
  const database = useConnection(own)

  beforeAll(async () => {
    await database.query('CREATE TABLE public.item (id int)')
  })

  const flushed = async (): Promise<Lsn> =>
    parsePgLsn((await database.query('SELECT pg_current_wal_flush_lsn()::text AS lsn'))[0]?.lsn ?? '')
  const waiters = () =>
    database.query(
      `SELECT pid::text, backend_xmin::text AS xmin, backend_xid::text AS xid FROM pg_stat_activity
       WHERE datname = current_database() AND application_name = 'tidemark watch' AND state = 'active'`,
    )
  const begun = async () => {
    while ((await waiters()).length === 0);
  }

  test('CAP-R29 a wait ends with a commit of another session, and at once when the log is ahead already', async () => {
    const watch = new WalWatch(own.env, Date.now)
    // The whole server writes one log, so this wait may end early, and then another begins.
    let written = false
    const waited = (async () => {
      const before = await flushed()
      let past = before
      while (past === before || !written) {
        await watch.wait(waitFor(past))
        past = await flushed()
      }
    })()
    await begun()
    await database.query('INSERT INTO public.item VALUES (1)')
    written = true
    await database.query('INSERT INTO public.item VALUES (2)')
    await waited
    await watch.wait(waitFor(ZERO_LSN))
    expect(watch.obstacle).toBeNull()
    await watch.close()
  })

  test('CAP-R29 a wait holds back neither vacuum nor the slot, and ends by itself', async () => {
    // The clock stands still, because the obstacle of a cut connection lasts for a second only.
    const watch = new WalWatch(own.env, () => 0)
    let ended = false
    const waited = watch.wait(waitFor(FAR)).then(() => {
      ended = true
    })
    await begun()
    // The waiter's snapshot, where it has one, is soon younger than a transaction that began after the wait did.
    await database.query('INSERT INTO public.item VALUES (3)')
    const [row] = await database.query('SELECT pg_snapshot_xmax(pg_current_snapshot())::text AS next')
    const next = BigInt(row?.next ?? 0)
    const behind = async () => {
      const [waiter] = await waiters()
      expect(waiter?.xid ?? null).toBeNull()
      const xmin = waiter?.xmin ?? null
      return xmin === null || BigInt(xmin) < (next & 0xffffffffn)
    }
    while (!ended && (await behind()));
    expect(ended).toBe(false)
    await database.query(`SELECT pg_terminate_backend(pid::int) FROM pg_stat_activity WHERE application_name = 'tidemark watch'
      AND datname = current_database()`)
    await waited
    // The wait never throws: the obstacle says that its connection was cut.
    expect(watch.obstacle).toMatch(/cut/)
    await watch.close()
    const [timed] = await timeOut()
    expect(timed?.ended).toBe('true')
  })

  test('CAP-R29 a missing or forbidden procedure and a pooler are told apart, with the remedy', async () => {
    let now = 0
    const watch = new WalWatch(own.env, () => now)
    await database.query('ALTER PROCEDURE tidemark.wait_for_wal RENAME TO wait_for_nothing')
    await watch.wait(waitFor(ZERO_LSN))
    expect(watch.obstacle).toMatch(/tidemark migrate/)
    await database.query('ALTER PROCEDURE tidemark.wait_for_nothing RENAME TO wait_for_wal')
    now += 3_600_000
    expect(watch.obstacle).toBeNull()
    await watch.wait(waitFor(ZERO_LSN))
    expect(watch.obstacle).toBeNull()
    await watch.close()
    const pooled = { ...own.env, DATABASE_URL: own.env.DATABASE_URL.replace('@127.0.0.1', '@ep-x-pooler.neon.tech') }
    expect(new WalWatch(pooled, Date.now).obstacle).toMatch(/without -pooler/)
    const [right] = await database.query(
      `SELECT has_function_privilege('tidemark_client', 'tidemark.wait_for_wal(pg_lsn,integer,integer,xid8,name,pg_lsn,boolean,pg_lsn,integer,integer,integer,text[],json)', 'EXECUTE')::text AS may`,
    )
    expect(right?.may).toBe('false')
  })

  async function timeOut() {
    const waiting = await own.open()
    const call =
      'CALL tidemark.wait_for_wal($1::pg_lsn, 20, $2::int, NULL, NULL, NULL, false, NULL, 1, 1, 1, NULL, NULL)'
    await waiting.rows(call, ['FFFFFFFF/FFFFFFFF', 0])
    await waiting.rows(call, ['0/0', 5])
    await waiting.close()
    return [{ ended: 'true' }]
  }
})
