import { describe, expect, test } from 'vitest'
import { LIMITS } from '../../protocol/index.ts'
import { at, batch, commitAll } from '../../testing/replica/scripted-server.ts'
import { closeAfterEach } from '../../testing/replica/serve.ts'
import { statusThat } from '../../testing/replica/start-replica.ts'
import { commit, type FolderReplica, notesOf, openedFolders } from '../../testing/writing/opened-folders.ts'

closeAfterEach()

const write = (replica: FolderReplica, sql: string) => replica.transaction((tx) => tx.query(sql))
const statusOf = async (replica: FolderReplica, id: string | null) => (await replica.mutation(id ?? ''))?.status

describe('squashing', () => {
  test('OUT-10 OBX-R1 OBX-R14 five edits of a row are one patch, and each handle follows it', async () => {
    const { server, replica } = await openedFolders()
    replica.goOffline()
    const handles = []
    for (const title of ['b', 'c', 'd', 'e', 'f'])
      handles.push(await write(replica, `UPDATE note SET title = '${title}', count = count + 1 WHERE id = '1'`))
    expect(replica.status.pending).toBeGreaterThan(0)
    replica.goOnline()
    const { mutations } = await server.push(0)
    expect(mutations).toMatchObject([
      {
        counter: 1,
        rows: [{ k: { id: '1' }, d: { title: 'f', count: '5' }, b: { title: { v: 'first' }, count: { v: '0' } } }],
      },
    ])
    for (const { id } of handles) expect(await statusOf(replica, id)).toBe('sent')
    expect(replica.status.pending).toBe(1)
    commit(server, await server.session(1), ...mutations)
    await Promise.all(handles.map(({ confirmed }) => confirmed))
    for (const { id } of handles) expect(await statusOf(replica, id)).toBe('confirmed')
    await replica.actions.addOne({ id: '2' })
    expect(await server.push(1)).toMatchObject({ acknowledged: 5, mutations: [{ counter: 6 }] })
    expect(await notesOf(replica)).toMatchObject([{ title: 'f', count: '5' }, { count: '1' }])
  })

  test('OUT-11 OBX-R3 a transaction that comes to nothing is confirmed with nobody asked', async () => {
    const { replica } = await openedFolders()
    replica.goOffline()
    const { id, confirmed } = await replica.transaction(async (tx) => {
      await tx.query(`UPDATE note SET title = 'away' WHERE id = '1'`)
      await tx.query(`UPDATE note SET title = 'first' WHERE id = '1'`)
    })
    await confirmed
    expect(await statusOf(replica, id)).toBe('confirmed')
  })

  test('OUT-11 OBX-R3 create and edits are one insert; create and delete are nothing, both confirmed', async () => {
    const { server, replica } = await openedFolders()
    replica.goOffline()
    const made = await write(replica, `INSERT INTO note (id, org, title) VALUES ('3', 'a', 'new')`)
    await write(replica, `UPDATE note SET title = 'newer' WHERE id = '3'`)
    const gone = await write(replica, `INSERT INTO note (id, org) VALUES ('4', 'a')`)
    const gone2 = await write(replica, `DELETE FROM note WHERE id = '4'`)
    const back = await write(replica, `UPDATE note SET title = 'away' WHERE id = '1'`)
    await write(replica, `UPDATE note SET title = 'first' WHERE id = '1'`)
    replica.goOnline()
    const { mutations } = await server.push(0)
    expect(mutations).toMatchObject([{ counter: 1, rows: [{ o: 'i', d: { id: '3', title: 'newer' }, z: ['seq'] }] }])
    await Promise.all([gone.confirmed, gone2.confirmed, back.confirmed])
    expect(await statusOf(replica, gone.id)).toBe('confirmed')
    expect(await statusOf(replica, gone2.id)).toBe('confirmed')
    const session = await server.session(1)
    commit(server, session, ...mutations)
    await made.confirmed
    // Mutations that were never sent do not stand in the way of changes that come.
    const theirs = { o: 'u', t: 'public.note', a: 'org:a', k: { id: '1' }, d: { title: 'theirs' } } as const
    const before = server.head
    server.head = at(Number.parseInt(before, 16) + 0x10)
    session.send(batch(before, server.head, [{ lsn: server.head, xid: '99', changes: [theirs] }]))
    await replica.reached(server.head)
    expect(await notesOf(replica)).toMatchObject([{ title: 'theirs' }, { title: 'first' }, { title: 'newer' }])
    expect(replica.status).toMatchObject({ pending: 0, failed: 0 })
  })

  test('OUT-12 OBX-R2 an action or a foreign change between two edits keeps them apart', async () => {
    const { server, replica } = await openedFolders()
    replica.goOffline()
    await write(replica, `UPDATE note SET title = 'b' WHERE id = '1'`)
    await replica.actions.addOne({ id: '2' })
    await write(replica, `UPDATE note SET title = 'c' WHERE id = '1'`)
    await write(replica, `UPDATE note SET title = 'd' WHERE id = '1'`)
    replica.goOnline()
    const { mutations } = await server.push(0)
    expect(mutations.map(({ counter }) => counter)).toEqual([1, 2, 3])
    expect(mutations[2]).toMatchObject({ rows: [{ d: { title: 'd' }, b: { title: { m: 1 } } }] })
    commit(server, await server.session(1), ...mutations)
    await statusThat(replica, ({ pending }) => pending === 0)

    replica.goOffline()
    await write(replica, `UPDATE note SET title = 'mine' WHERE id = '2'`)
    const before = server.head
    server.head = at(Number.parseInt(before, 16) + 0x10)
    const theirs = {
      o: 'u',
      t: 'public.note',
      a: 'org:a',
      k: { id: '2' },
      d: { slug: 'theirs', title: 'theirs' },
    } as const
    // The first edit is held back until the change from elsewhere is under it, and the second beside it.
    server.answerPush = (push) =>
      push.mutations.length < 2 ? { outcomes: [], retry: { message: 'Later.', afterMs: 0 } } : commitAll(push)
    replica.goOnline()
    const next = await server.session(2)
    next.send(batch(before, server.head, [{ lsn: server.head, xid: '98', changes: [theirs] }]))
    await replica.reached(server.head)
    await write(replica, `UPDATE note SET title = 'first' WHERE id = '2'`)
    const counters = async (index: number) => (await server.push(index)).mutations.map(({ counter }) => counter)
    let index = 1
    while ((await counters(index)).length < 2) index += 1
    expect((await server.push(index)).mutations).toMatchObject([
      { rows: [{ d: { title: 'mine' }, b: { title: { v: 'first' } } }] },
      { rows: [{ d: { title: 'first' } }] },
    ])
  })

  test('OUT-13 OBX-R2 OBX-R4 what may have been sent is neither changed nor cancelled', async () => {
    const { server, replica, session } = await openedFolders()
    server.answerPush = () => ({ outcomes: [], retry: { message: 'Later.', afterMs: 0 } })
    const made = await write(replica, `INSERT INTO note (id, org, title) VALUES ('3', 'a', 'new')`)
    const first = await server.push(0)
    await write(replica, `UPDATE note SET title = 'newer' WHERE id = '3'`)
    await write(replica, `UPDATE note SET title = 'newest' WHERE id = '3'`)
    await write(replica, `DELETE FROM note WHERE id = '3'`)
    server.answerPush = commitAll
    let index = 1
    while ((await server.push(index)).mutations.length === 1) index += 1
    const { mutations } = await server.push(index)
    expect(mutations[0]).toEqual(first.mutations[0])
    expect(mutations.slice(1)).toMatchObject([{ rows: [{ o: 'd', k: { id: '3' } }], after: [1] }])
    commit(server, session, ...mutations)
    await made.confirmed
    await statusThat(replica, ({ pending }) => pending === 0)
    expect(await notesOf(replica)).toHaveLength(2)
  })

  test('OUT-19 a full outbox refuses a write at once, and what is there goes on', async () => {
    const { replica } = await openedFolders()
    replica.goOffline()
    await write(replica, `UPDATE note SET title = 'b' WHERE id = '1'`)
    await replica.db.query(
      `INSERT INTO tidemark.mutation (counter, kind, at, status, patch, request) SELECT n, 'patch', '', 'sent', '[]', '{}'
       FROM generate_series(2, $1::int) n`,
      [LIMITS.outboxMutations],
    )
    await replica.db.query('UPDATE tidemark.owner SET counter = $1', [LIMITS.outboxMutations])
    await expect(write(replica, `UPDATE note SET title = 'c' WHERE id = '1'`)).rejects.toThrow(/outbox is full/)
    expect(await notesOf(replica)).toMatchObject([{ title: 'b' }, { title: 'first' }])
  })
})
