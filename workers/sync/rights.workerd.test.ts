import { evictDurableObject, runDurableObjectAlarm } from 'cloudflare:test'
import { beforeAll, describe, expect, it } from 'vitest'
import type { Lsn } from '../../protocol/index.ts'
import { servers } from '../../testing/postgres/servers.ts'
import { useTestDatabase } from '../../testing/postgres/use-test-database.ts'
import {
  beginEpoch,
  connect,
  DEFINITION,
  deliver,
  follow,
  insert,
  lsn,
  openSocket,
  replication,
  stageOf,
  store,
  syncObject,
  tokenOf,
  transaction,
} from '../../testing/workerd/distribution.ts'
import { WATCHING } from '../../testing/workerd/staged.ts'
import { useDatabase } from '../../testing/workerd/worker.ts'
import { withDatabase } from '../database/index.ts'

const database = useTestDatabase(servers().system)
beforeAll(async () => {
  useDatabase(database.env)
  await sql(
    `CREATE TABLE public.staged_membership (user_id text, org text)`,
    `GRANT SELECT ON public.staged_membership TO tidemark_client`,
  )
})

const sql = (...statements: string[]) =>
  withDatabase(database.env, async ({ query }) => {
    for (const statement of statements) await query(statement)
  })
const member = (user: string, org: string) => sql(`INSERT INTO public.staged_membership VALUES ('${user}', '${org}')`)
const noMember = (user: string, org: string) =>
  sql(`DELETE FROM public.staged_membership WHERE user_id = '${user}' AND org = '${org}'`)
/** Stores changed rights in history as capture does. */
const storeRights = (epoch: string, at: Lsn, users: readonly string[] | null) =>
  sql(
    `INSERT INTO tidemark.change_history (epoch, lsn, seq, xid, transaction_id, table_name, operation, data, schema_version, committed_at)
     VALUES ('${epoch}', ('0/' || '${at.slice(8)}')::pg_lsn + (('x' || '${at.slice(0, 8)}')::bit(32)::bigint::numeric * 4294967296), 99, 1, '1',
       'tidemark.rights', 'rights', '${JSON.stringify({ users })}', 1, now())`,
  )

describe('rights while connected', () => {
  it('DIS-21 RGT-R1 RGT-R3 one who loses an audience sees nothing of it from that transaction on; others do', async () => {
    await beginEpoch(database.env, 'lose')
    const place = 'org:lose'
    await member('ann', 'extra')
    const ann = await follow({ userId: 'ann', audiences: [place, WATCHING] }, 'lose', lsn(0))
    const bob = await follow({ userId: 'bob', audiences: [place, 'org:extra'] }, 'lose', lsn(0))
    // The Worker's answer lacks the membership; the SyncDO asks again when capture reports the change.
    await deliver(place, 'lose', lsn(0), lsn(1), [], ['ann'])
    const granted = await ann.frame('audiences')
    expect(granted.audiences).toEqual([place, WATCHING, 'org:extra'])
    const before = transaction(lsn(2), insert('org:extra'), insert(place))
    await deliver(place, 'lose', lsn(1), lsn(2), [before])
    await Promise.all([ann.reaches(lsn(2)), bob.reaches(lsn(2))])
    expect(ann.ids).toHaveLength(2)
    await noMember('ann', 'extra')
    const after = transaction(lsn(3), insert('org:extra'), insert(place))
    await deliver(place, 'lose', lsn(2), lsn(3), [after], ['ann'])
    await Promise.all([ann.reaches(lsn(3)), bob.reaches(lsn(3))])
    expect(ann.ids).toHaveLength(3)
    expect(bob.ids).toHaveLength(4)
    const types = ann.frames.map(({ type }) => type)
    expect(types.lastIndexOf('audiences')).toBeLessThan(types.lastIndexOf('batch'))
    expect(bob.frames.some(({ type }) => type === 'audiences')).toBe(false)
  })

  it('RGT-R1 DIS-19 a gap read from history brings it too, over an eviction and while the database is away', async () => {
    await beginEpoch(database.env, 'gap')
    const place = 'org:gap'
    const ann = await follow({ userId: 'gapper', audiences: [place, WATCHING] }, 'gap', lsn(0))
    await deliver(place, 'gap', lsn(0), lsn(1), [])
    await ann.reaches(lsn(1))
    await member('gapper', 'late')
    const changes = transaction(lsn(3), insert(place), insert('org:late'))
    await store(database.env, 'gap', [changes])
    await storeRights('gap', lsn(2), ['gapper'])
    // The app cannot answer now, so nothing beyond the change is told.
    await sql(`ALTER TABLE public.staged_membership RENAME TO away`)
    await evictDurableObject(syncObject(place))
    await deliver(place, 'gap', lsn(1), lsn(3), null)
    const fault = await ann.frame('fault')
    expect(fault.message).not.toMatch(/staged/)
    expect(ann.ids).toEqual([])
    await sql(`ALTER TABLE public.away RENAME TO staged_membership`)
    const again = await follow({ userId: 'gapper', audiences: [place, WATCHING] }, 'gap', lsn(1))
    await again.reaches(lsn(3))
    expect(again.ids).toHaveLength(1)
    await storeRights('gap', lsn(4), null)
    await deliver(place, 'gap', lsn(3), lsn(4), null)
    expect((await again.frame('audiences')).audiences).toContain('org:late')
  })

  it('RGT-R2 what changed between the Worker’s answer and the subscription is asked for at hello', async () => {
    await beginEpoch(database.env, 'hello-rights')
    const watched = [{ id: 'public.m', schema: 'public', name: 'm', user: 'u' }]
    await replication().stage(stageOf('hello-rights', { definition: { ...DEFINITION, watched } }))
    await member('late', 'hello-extra')
    const socket = await connect({ userId: 'late', audiences: ['org:hello', WATCHING] })
    expect((await socket.frame('welcome')).audiences).toEqual(['org:hello', WATCHING, 'org:hello-extra'])
    const { requests } = await replication().asked('org:hello')
    expect(requests.at(-1)?.audiences).toContain('org:hello-extra')
  })

  it('RGT-R3 RGT-R4 a transaction sent in part begins anew; a stream that restarts is announced', async () => {
    await beginEpoch(database.env, 'part-rights')
    const place = 'org:part'
    const ann = await follow({ userId: 'parts', audiences: [place, WATCHING] }, 'part-rights', lsn(0), {
      autoAck: false,
    })
    const large = transaction(lsn(1), ...Array.from({ length: 12 }, () => insert(place, 'n'.repeat(3_000))))
    // The log holds nothing yet of the audience that will be granted, so history must.
    await store(database.env, 'part-rights', [large])
    await deliver(place, 'part-rights', lsn(0), lsn(1), [large])
    await ann.until(({ frames }) => frames.filter(({ type }) => type === 'part').length >= 4)
    await member('parts', 'part-extra')
    await deliver(place, 'part-rights', lsn(1), lsn(2), [], ['parts'])
    await ann.frame('audiences')
    const sent = ann.frames.length
    ann.send({ type: 'stream', epoch: 'part-rights', from: lsn(0) })
    expect(await ann.frame('restarted')).toEqual({ type: 'restarted', from: lsn(0) })
    ann.autoAck = true
    ann.ack()
    await ann.reaches(lsn(2))
    expect(ann.ids).toHaveLength(12)
    const rest = ann.frames.slice(sent).filter((frame) => frame.type === 'part')
    expect(rest[0]).toMatchObject({ index: 0 })
  })
})

describe('a fresh token', () => {
  it('DIS-22 RGT-R8 with other claims brings other audiences on the same socket; without one the socket ends', async () => {
    await beginEpoch(database.env, 'fresh')
    const place = 'org:fresh'
    const ann = await follow({ userId: 'fresh', audiences: [place], lifetimeSeconds: 600 }, 'fresh', lsn(0))
    ann.send({ type: 'token', token: await tokenOf({ userId: 'fresh', audiences: [place, 'org:more'] }) })
    expect((await ann.frame('renewed')).expiresAt).not.toBeNull()
    expect((await ann.frame('audiences')).audiences).toEqual([place, 'org:more'])
    const short = await openSocket({ userId: 'fresh', audiences: [place], lifetimeSeconds: 1 })
    while (short.closed === null) {
      await new Promise((resolve) => setTimeout(resolve, 50))
      await runDurableObjectAlarm(syncObject(place))
    }
    expect(short.closed).toEqual({ code: 4402, reason: 'token-expired' })
    expect(ann.closed).toBeNull()
  })
})
