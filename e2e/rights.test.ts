import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openReplica, type Replica, type ReplicaStatus } from '../client/index.ts'
import { manifestSchema } from '../protocol/index.ts'
import { sync } from '../testing/rights/sync.ts'
import { type System, startSystem } from '../testing/system/start-system.ts'
import { until } from '../testing/system/until.ts'
import type { Database } from '../workers/database/index.ts'

const app = {
  sync,
  syncModule: new URL('../testing/rights/sync.ts', import.meta.url),
  audiencesModule: new URL('../testing/rights/audiences.ts', import.meta.url),
  migrations: new URL('../testing/rights/migrations/', import.meta.url),
}

const visible = `SELECT i.id, i.org_id, i.title FROM public.item i JOIN public.membership m USING (org_id)
  WHERE m.user_id = $1 ORDER BY i.id`
const itemsOf = async (replica: Replica) => (await replica.db.query('SELECT * FROM item ORDER BY id')).rows
const orgsOf = async (replica: Replica) =>
  (await replica.db.query<{ org_id: string }>('SELECT DISTINCT org_id FROM item ORDER BY 1')).rows.map((r) => r.org_id)

describe.each([
  { placement: 'org', decoder: 'pgoutput' },
  { placement: 'client', decoder: 'wal2json' },
])('live rights, placed by $placement, through $decoder', ({ placement, decoder }) => {
  let system: System
  let database: Database
  let replica: Replica
  let statuses: Pick<ReplicaStatus, 'ready' | 'audiences' | 'phase'>[]

  beforeAll(async () => {
    system = await startSystem({
      app,
      postgres: decoder === 'wal2json' ? 'system' : 'embedded',
      workerOptions: { placement, decoder, limits: { frameChars: 2_000 } },
      seed: async (env) => {
        const { withDatabase } = await import('../workers/database/index.ts')
        await withDatabase(env, async ({ query }) => {
          await query(
            `INSERT INTO public.item SELECT o || n, o, 'first' FROM unnest('{a,b,c}'::text[]) o, generate_series(1, 300) n`,
          )
          await query(`INSERT INTO public.membership VALUES ('ann', 'a'), ('bob', 'b')`)
        })
      },
    })
    database = await system.openDatabase()
    const token = () => system.token({ userId: 'ann', audiences: [] })
    replica = await openReplica({ url: system.url, user: 'ann', token, sync, storage: 'memory://' })
    await replica.ready
    statuses = []
    replica.subscribe(({ ready, audiences, phase }) => statuses.push({ ready, audiences, phase }))
  })
  afterAll(async () => {
    await replica?.close()
    await database?.close()
    await system?.dispose()
  })

  /** Compares both sides once the replica has everything. */
  async function compare() {
    await replica.settled()
    expect(await itemsOf(replica)).toEqual(await database.query(visible, ['ann']))
  }

  const snapshot = async (audience: string) => {
    const headers = { authorization: `Bearer ${await system.token({ userId: 'ann', audiences: [] })}` }
    return (await fetch(`${system.url}/sync/snapshot/${encodeURIComponent(audience)}`, { headers })).status
  }

  it('DIS-21 DIS-23 RGT-R1 RGT-R4 RGT-R9 a membership inserted by SQL lets its rows join while the others go on', async () => {
    expect(await orgsOf(replica)).toEqual(['a'])
    const seen = new Set<string>()
    const watching = await replica.db.live.query<{ counts: string }>(
      `SELECT string_agg(org_id || ':' || n, ',' ORDER BY org_id) AS counts
       FROM (SELECT org_id, count(*) AS n FROM item WHERE title <> 'new' GROUP BY org_id) x`,
      [],
      ({ rows }) => seen.add(rows[0]?.counts ?? ''),
    )
    await database.transaction(async ({ query }) => {
      await query(`INSERT INTO public.membership VALUES ('ann', 'b')`)
      await query(`INSERT INTO public.item SELECT 'b-new' || n, 'b', 'new' FROM generate_series(1, 100) n`)
    })
    for (let round = 0; !replica.status.audiences.includes('org:b'); round += 1) {
      await database.query(
        `INSERT INTO public.item VALUES ('a-new' || $1, 'a', 'new'), ('b-newer' || $1, 'b', 'new')`,
        [round],
      )
      await database.query(
        `UPDATE public.item SET org_id = CASE org_id WHEN 'a' THEN 'b' ELSE 'a' END, title = 'new' WHERE id IN ('a1', 'b1')`,
      )
    }
    await compare()
    expect(await orgsOf(replica)).toEqual(['a', 'b'])
    await watching.unsubscribe()
    // All of the granted rows came at once, and the other rows were never missing.
    expect(statuses.every(({ ready, audiences }) => ready && audiences.includes('org:a'))).toBe(true)
    expect(statuses.every(({ phase }) => phase === 'live' || phase === 'catching-up')).toBe(true)
    for (const counts of seen) expect(counts).toMatch(/^a:(300|299)(,b:(300|299))?$/)
  })

  it('FLD-128 HYD-R15 RGT-R4 whoever may see nothing has empty tables; rows come with a membership, and the definition to nobody unknown', async () => {
    const path = `${system.url}/sync/definition`
    expect((await fetch(path)).status).toBe(401)
    expect((await fetch(path, { headers: { authorization: 'Bearer none' } })).status).toBe(401)
    const token = () => system.token({ userId: 'visitor', audiences: [] })
    const nobody = await openReplica({ url: system.url, user: 'visitor', token, sync, storage: 'memory://' })
    try {
      await nobody.ready
      expect(nobody.status.audiences).toEqual([])
      expect(await itemsOf(nobody)).toEqual([])
      await database.query(`INSERT INTO public.membership VALUES ('visitor', 'c')`)
      await until(() => nobody.status.audiences.includes('org:c'))
      await nobody.settled()
      expect(await itemsOf(nobody)).toEqual(await database.query(visible, ['visitor']))
    } finally {
      await nobody.close()
      await database.query(`DELETE FROM public.membership WHERE user_id = 'visitor'`)
    }
  })

  it('DIS-21 SEC-10 RGT-R1 RGT-R3 a membership deleted by SQL takes its rows away before the same commit shows more', async () => {
    const ids: string[] = []
    const watching = await replica.db.live.query<{ id: string }>(
      `SELECT id FROM item WHERE title = 'secret'`,
      [],
      ({ rows }) => ids.push(...rows.map(({ id }) => id)),
    )
    await database.transaction(async ({ query }) => {
      await query(`INSERT INTO public.item VALUES ('s1', 'b', 'secret')`)
      await query(`DELETE FROM public.membership WHERE user_id = 'ann' AND org_id = 'b'`)
      await query(`INSERT INTO public.item VALUES ('s2', 'b', 'secret')`)
    })
    expect(await snapshot('org:b')).toBe(404)
    expect(await snapshot('org:a')).toBe(200)
    await until(() => !replica.status.audiences.includes('org:b'))
    await compare()
    expect(await orgsOf(replica)).toEqual(['a'])
    await watching.unsubscribe()
    expect(ids).toEqual([])
    expect(statuses.every(({ ready }) => ready)).toBe(true)
  })

  it('SEC-09 RGT-R2 what was granted and lost while offline is there and gone after the reconnect', async () => {
    replica.goOffline()
    await database.query(`INSERT INTO public.membership VALUES ('ann', 'c')`)
    await database.query(`DELETE FROM public.membership WHERE user_id = 'ann' AND org_id = 'a'`)
    replica.goOnline()
    await until(
      () =>
        replica.status.audiences.join() === 'user:ann,org:c' || replica.status.audiences.join() === 'org:c,user:ann',
    )
    await compare()
    expect(await orgsOf(replica)).toEqual(['c'])
  })

  it('FLD-100 FLD-101 SEC-10 PSH-R20 chunks cost no query each, and a chunk’s address is refused once the right is gone', async () => {
    const headers = { authorization: `Bearer ${await system.token({ userId: 'ann', audiences: [] })}` }
    const manifest = async () => {
      const answer = await fetch(`${system.url}/sync/snapshot/org%3Ac`, { headers })
      return manifestSchema.parse(await answer.json())
    }
    const chunks = (await manifest()).tables.flatMap((table) => table.chunks.map(({ id }) => id))
    const chunk = async () => (await fetch(`${system.url}/sync/snapshot/org%3Ac/${chunks[0]}`, { headers })).status
    const scans = async () => {
      const [row] = await database.query(
        `SELECT coalesce(sum(seq_scan + coalesce(idx_scan, 0)), 0)::text AS scans FROM pg_stat_user_tables WHERE relname = 'membership'`,
      )
      return Number(row?.scans)
    }
    expect(await chunk()).toBe(200)
    const before = await scans()
    for (let asked = 0; asked < 40; asked += 1) expect(await chunk()).toBe(200)
    // Sessions report their scans when they end, and each query would have had a session of its own.
    expect((await scans()) - before).toBeLessThanOrEqual(2)
    await database.query(`DELETE FROM public.membership WHERE user_id = 'ann' AND org_id = 'c'`)
    await until(() => !replica.status.audiences.includes('org:c'))
    expect(await chunk()).toBe(404)
    await compare()
    await database.query(`INSERT INTO public.membership VALUES ('ann', 'c')`)
    await until(() => replica.status.audiences.includes('org:c'))
    await compare()
  })

  it('RGT-R5 history keeps of a watched table whose rights changed, and nothing else', async () => {
    const rows = await database.query(
      `SELECT data::text, old_data::text, row_key::text, audience FROM tidemark.change_history WHERE operation = 'rights' ORDER BY lsn`,
    )
    const users = rows.map(({ data }) => JSON.parse(data ?? '{}').users)
    expect(users.flat().sort()).toEqual([...Array(6).fill('ann'), 'visitor', 'visitor'])
    for (const { data, ...rest } of rows) expect(rest).toEqual({ old_data: null, row_key: null, audience: null })
    const kept = await database.query(
      `SELECT count(*)::text AS n FROM tidemark.change_history WHERE table_name LIKE '%membership%' OR data::text LIKE '%hush%'`,
    )
    expect(kept).toEqual([{ n: '0' }])
  })
})
