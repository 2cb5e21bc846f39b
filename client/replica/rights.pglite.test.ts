import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { NOTES } from '../../testing/replica/definitions.ts'
import { at, batch, type SnapshotScript } from '../../testing/replica/scripted-server.ts'
import { closeAfterEach, serve, start } from '../../testing/replica/serve.ts'
import { rowsOf, statusThat } from '../../testing/replica/start-replica.ts'

closeAfterEach()

const note = (id: string, org: string, rank = '1') => ({ id, org, title: `title ${id}`, rank })
const insert = (id: string, org: string) => ({ o: 'i', t: 'public.note', a: `org:${org}`, d: note(id, org) }) as const
const rank = (id: string, org: string, value: string) =>
  ({ o: 'u', t: 'public.note', a: `org:${org}`, k: { id }, d: { rank: value } }) as const
const remove = (id: string, org: string) => ({ o: 'd', t: 'public.note', a: `org:${org}`, k: { id } }) as const
const snapshotOf = (org: string, start: number, fence: number, shows: string, ...ids: string[]): SnapshotScript => ({
  start: at(start),
  fence: at(fence),
  snapshot: shows,
  rows: { 'public.note': ids.map((id) => note(id, org)) },
})
const audiences = (...names: string[]) => ({ type: 'audiences', audiences: names }) as const

async function liveOnA() {
  const { server, url } = await serve(NOTES, { 'org:a': snapshotOf('a', 0x100, 0x100, '10:10:', 'a1', 'a2') })
  const replica = await start(url)
  await replica.ready
  const session = await server.session(0)
  const states: string[] = []
  await replica.db.live.query<{ state: string }>(
    `SELECT string_agg(id || rank, ' ' ORDER BY id) AS state FROM note`,
    [],
    ({ rows }) => {
      const state = rows[0]?.state ?? ''
      if (states.at(-1) !== state) states.push(state)
    },
  )
  return { server, replica, session, states }
}

describe('a granted audience', () => {
  test('DIS-21 RGT-R4 is loaded beside what is shown, catches up from its own start, and joins in one change', async () => {
    const { server, replica, session, states } = await liveOnA()
    server.snapshots.set('org:b', snapshotOf('b', 0x108, 0x130, '11:11:', 'b1', 'b2'))
    // This is past the start of the snapshot to come; nothing of b is sent yet.
    session.send(batch(at(0x100), at(0x110), [{ lsn: at(0x110), xid: '11', changes: [rank('a1', 'a', '2')] }]))
    session.send(audiences('org:a', 'org:b'))
    session.send(
      batch(at(0x110), at(0x120), [
        { lsn: at(0x120), xid: '12', changes: [rank('b1', 'b', '3'), rank('a1', 'a', '3')] },
      ]),
    )
    const again = await session.frame('stream', ({ from }) => from === at(0x108))
    expect(again.epoch).toBe(server.epoch)
    expect(await rowsOf(replica, 'note', 'id')).toHaveLength(2)
    expect(replica.status).toMatchObject({ ready: true, audiences: ['org:a'] })
    // This was on its way when the server was asked: it is of the earlier stream, and passed over.
    session.send(batch(at(0x120), at(0x128), [{ lsn: at(0x128), xid: '14', changes: [rank('b2', 'b', '4')] }]))
    session.send({ type: 'restarted', from: at(0x108) })
    session.send(
      batch(at(0x108), at(0x128), [
        { lsn: at(0x10c), xid: '10', changes: [rank('b1', 'b', '2')] }, // In the snapshot.
        { lsn: at(0x110), xid: '11', changes: [rank('a1', 'a', '2')] },
        { lsn: at(0x120), xid: '12', changes: [rank('b1', 'b', '3'), rank('a1', 'a', '3')] },
        { lsn: at(0x128), xid: '14', changes: [rank('b2', 'b', '4')] },
      ]),
    )
    await session.acknowledged()
    expect(replica.status.audiences).toEqual(['org:a'])
    session.send(
      batch(at(0x128), at(0x130), [{ lsn: at(0x130), xid: '15', changes: [remove('a2', 'a'), insert('a2', 'b')] }]),
    )
    await statusThat(replica, (status) => status.audiences.includes('org:b'))
    session.send(batch(at(0x130), at(0x140), [{ lsn: at(0x140), xid: '16', changes: [rank('b2', 'b', '9')] }]))
    await replica.reached(at(0x140))
    expect(await rowsOf(replica, 'note', 'id, org, rank')).toEqual([
      { id: 'a1', org: 'a', rank: 3 },
      { id: 'a2', org: 'b', rank: 1 },
      { id: 'b1', org: 'b', rank: 3 },
      { id: 'b2', org: 'b', rank: 9 },
    ])
    expect(replica.status).toMatchObject({ phase: 'live', rows: 4, lsn: at(0x140), hydration: null })
    expect(server.sessions).toHaveLength(1)
    await expect.poll(() => states.at(-1)).toBe('a13 a21 b13 b29')
    for (const state of states)
      expect(['a11 a21', 'a12 a21', 'a13 a21', 'a13 a21 b13 b24', 'a13 a21 b13 b29']).toContain(state)
  })

  test('RGT-R4 with a snapshot no older than the replica the stream just goes on', async () => {
    const { server, replica, session } = await liveOnA()
    server.snapshots.set('org:b', snapshotOf('b', 0x100, 0x100, '10:10:', 'b1'))
    session.send(audiences('org:a', 'org:b'))
    await statusThat(replica, (status) => status.audiences.includes('org:b'))
    expect(await rowsOf(replica, 'note', 'id')).toHaveLength(3)
    session.send(
      batch(at(0x100), at(0x110), [{ lsn: at(0x110), xid: '11', changes: [rank('b1', 'b', '5'), insert('b3', 'b')] }]),
    )
    await replica.reached(at(0x110))
    expect(await rowsOf(replica, 'note', 'id')).toHaveLength(4)
    expect(session.received.filter(({ type }) => type === 'stream')).toHaveLength(1)
  })

  test('RGT-R4 a large transaction reaches both in one apply, and a TRUNCATE too', async () => {
    const { server, replica, session } = await liveOnA()
    server.snapshots.set('org:b', snapshotOf('b', 0x100, 0x120, '10:10:', 'b1'))
    session.send(audiences('org:a', 'org:b'))
    await expect
      .poll(() => replica.db.query(`SELECT FROM tidemark.copy WHERE stage = 'joining'`).then(({ rows }) => rows.length))
      .toBe(1)
    const part = {
      type: 'part',
      from: at(0x100),
      lsn: at(0x120),
      head: at(0x120),
      xid: '11',
      at: '2026-11-20T00:00:00Z',
    } as const
    session.send({ ...part, index: 0, last: false, changes: [{ o: 't', t: 'public.note' }, insert('b5', 'b')] })
    session.send({ ...part, index: 1, last: true, changes: [insert('a5', 'a'), insert('b6', 'b')] })
    await replica.reached(at(0x120))
    expect(await rowsOf(replica, 'note', 'id')).toEqual([{ id: 'a5' }, { id: 'b5' }, { id: 'b6' }])
    expect(replica.status).toMatchObject({ audiences: ['org:a', 'org:b'], rows: 3 })
  })

  test('RGT-R4 taken back while it is loaded, it leaves no row; granted again it joins', async () => {
    const { server, replica, session } = await liveOnA()
    server.snapshots.set('org:b', snapshotOf('b', 0x100, 0x120, '10:10:', 'b1'))
    server.snapshots.set('org:c', snapshotOf('c', 0x100, 0x100, '10:10:', 'c1'))
    session.send(audiences('org:a', 'org:b'), audiences('org:a'), audiences('org:a', 'org:c'))
    await statusThat(replica, (status) => status.audiences.includes('org:c'))
    session.send(batch(at(0x100), at(0x130), [{ lsn: at(0x130), xid: '13', changes: [insert('c2', 'c')] }]))
    await replica.reached(at(0x130))
    expect(await rowsOf(replica, 'note', 'id')).toEqual([{ id: 'a1' }, { id: 'a2' }, { id: 'c1' }, { id: 'c2' }])
    expect(server.sessions).toHaveLength(1)
  })

  test('RGT-R6 what cannot be loaded beside is loaded with everything after a reconnect', async () => {
    const { server, replica, session } = await liveOnA()
    session.send(audiences('org:a', 'org:b'))
    await session.closed()
    server.audiences = ['org:a', 'org:b']
    server.snapshots.set('org:b', snapshotOf('b', 0x100, 0x100, '10:10:', 'b1'))
    server.welcome = () => ({ resume: 'hydrate', reason: 'audience-granted' })
    const next = await server.session(1)
    expect(next.hello.audiences).toEqual(['org:a'])
    await statusThat(replica, (status) => status.audiences.includes('org:b'))
    expect(await rowsOf(replica, 'note', 'id')).toHaveLength(3)
  })
})

describe('a revoked audience', () => {
  test('DIS-21 RGT-R3 is removed at its place in the stream, with what was received of a transaction', async () => {
    const { replica, session, states } = await liveOnA()
    const part = {
      type: 'part',
      from: at(0x100),
      lsn: at(0x120),
      head: at(0x120),
      xid: '11',
      at: '2026-11-20T00:00:00Z',
    } as const
    session.send({ ...part, index: 0, last: false, changes: [insert('a5', 'a')] })
    session.send(audiences())
    session.send(batch(at(0x100), at(0x120)))
    await statusThat(replica, (status) => status.audiences.length === 0)
    await session.acknowledged()
    expect(replica.status).toMatchObject({ ready: true, rows: 0, phase: 'live' })
    expect(await rowsOf(replica, 'note')).toEqual([])
    await expect.poll(() => states).toEqual(['a11 a21', ''])
  })

  test('RGT-R6 what changes during a load is asked for anew', async () => {
    const { server, url } = await serve(NOTES, { 'org:a': snapshotOf('a', 0x100, 0x120, '10:10:', 'a1') })
    const replica = await start(url)
    const session = await server.session(0)
    await session.frame('stream')
    server.audiences = []
    session.send(audiences())
    const next = await server.session(1)
    expect(next.hello.audiences).toEqual(['org:a'])
    next.send(batch(at(0x100), at(0x130)))
    await replica.ready
    expect(await rowsOf(replica, 'note')).toEqual([])
  })
})

describe('signing out', () => {
  test('TAB-06 RGT-R7 removes what the user held; another user never sees it', async () => {
    const { url } = await serve(NOTES, { 'org:a': snapshotOf('a', 0x100, 0x100, '10:10:', 'a1') })
    const directory = await mkdtemp(join(tmpdir(), 'tidemark-'))
    onTestFinished(() => rm(directory, { recursive: true, force: true }))
    const storage = join(directory, 'replica')
    const ann = await start(url, { storage })
    await ann.ready
    const bob = await start(url, { storage, user: 'bob', token: () => new Promise<string>(() => undefined) })
    expect((await bob.db.query(`SELECT to_regclass('public.note')::text AS found`)).rows).toEqual([{ found: null }])
    expect(await readdir(directory)).toHaveLength(6)
    await ann.signOut()
    expect(ann.status.phase).toBe('closed')
    expect(await readdir(directory)).toHaveLength(3)
    await expect(ann.signOut()).rejects.toMatchObject({ kind: 'unavailable' })
    const again = await start(url, { storage, token: () => new Promise<string>(() => undefined) })
    expect(again.status).toMatchObject({ ready: false, rows: 0 })
  })
})
