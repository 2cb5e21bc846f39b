import { describe, expect, test } from 'vitest'
import { at, batch } from '../../testing/replica/scripted-server.ts'
import { closeAfterEach } from '../../testing/replica/serve.ts'
import { type FolderReplica, notesOf, openedFolders } from '../../testing/writing/opened-folders.ts'

closeAfterEach()

const write = (replica: FolderReplica, title: string, id: string) =>
  replica.transaction((tx) => tx.query(`UPDATE note SET title = $1 WHERE id = $2`, [title, id]))

/** Damages a row behind the replica's back, and puts other rows in the snapshot than those that are shown. */
async function damaged() {
  const opened = await openedFolders()
  const { server, replica } = opened
  await replica.db.exec(`CREATE TABLE draft (text text); INSERT INTO draft VALUES ('kept');
    CREATE VIEW titles AS SELECT title FROM note`)
  const snapshot = server.snapshots.get('org:a')
  const rows = (snapshot?.rows['public.note'] ?? []).map((row) => ({ ...row, slug: `anew ${row.id}` }))
  server.head = at(0x200)
  server.snapshots.set('org:a', {
    start: at(0x200),
    fence: at(0x200),
    snapshot: '20:20:',
    rows: { 'public.note': rows },
  })
  await replica.db.transaction(async (tx) => {
    await tx.exec('SET LOCAL session_replication_role = replica')
    await tx.exec(`UPDATE note SET title = 'garbled', count = 99`)
  })
  return opened
}

describe('reset', () => {
  test('FLD-150 JRN-R13 loads everything anew, shows the old rows until then, and keeps unsent work and the app’s own tables', async () => {
    const { server, replica } = await damaged()
    server.answerPush = ({ mutations }) => ({
      outcomes: mutations.map(({ counter }) =>
        counter === 1
          ? { counter, status: 'rejected', rejection: { kind: 'refused', message: 'Not today.' } }
          : { counter, status: 'committed' },
      ),
      retry: null,
    })
    await expect((await write(replica, 'failed', '1')).confirmed).rejects.toThrow('Not today.')
    const sent = await write(replica, 'sent', '1')
    await server.push(1)
    const pushes = server.pushes.length
    server.answerPush = () => 503
    await write(replica, 'pending', '2')
    const readyAlways: boolean[] = []
    const stop = replica.subscribe(({ ready }) => readyAlways.push(ready))
    await replica.reset()
    stop()
    expect(new Set(readyAlways)).toEqual(new Set([true]))
    expect(server.sessions.at(-1)?.hello).toMatchObject({ epoch: null, cursor: null, audiences: [] })
    expect(await notesOf(replica)).toMatchObject([
      { title: 'sent', slug: 'anew 1', count: '0' },
      { title: 'pending', slug: 'anew 2', count: '0' },
    ])
    expect(replica.status).toMatchObject({ pending: 2, failed: 1 })
    expect((await replica.mutation(String(sent.id)))?.status).toBe('sent')
    expect((await replica.db.query('SELECT text FROM draft')).rows).toEqual([{ text: 'kept' }])
    expect((await replica.db.query('SELECT count(*)::int AS n FROM titles')).rows).toEqual([{ n: 2 }])
    expect(pushes).toBeGreaterThan(1)
  })

  test('FLD-151 JRN-R13 a reset that is cut by the network goes on at the next connection; one begun twice ends once', async () => {
    const { server, replica, session } = await damaged()
    let cuts = 2
    server.intercept = (path, response) => {
      if (!path.startsWith('/sync/snapshot') || cuts === 0) return false
      cuts -= 1
      response.destroy()
      return true
    }
    const asked = server.requests.length
    await Promise.all([replica.reset(), replica.reset()])
    expect(session.isClosed).toBe(true)
    expect(cuts).toBe(0)
    expect(server.requests.length).toBeGreaterThan(asked)
    expect(await notesOf(replica)).toMatchObject([{ title: 'first', slug: 'anew 1' }, { title: 'first' }])
    const last = server.sessions.at(-1)
    last?.send(batch(at(0x200), at(0x210)))
    await replica.reached(at(0x210))
  })

  test('FLD-152 JRN-R13 offline, refused and closed replicas reject by type, and hold what they held', async () => {
    const { replica } = await damaged()
    replica.goOffline()
    await expect(replica.reset()).rejects.toMatchObject({
      kind: 'unavailable',
      message: expect.stringContaining('offline'),
    })
    replica.goOnline({ envelope: { rows: 1 } })
    await expect(replica.reset()).rejects.toMatchObject({ kind: 'limit-exceeded' })
    expect(replica.status).toMatchObject({ phase: 'refused', ready: true })
    expect(await notesOf(replica)).toMatchObject([{ title: 'garbled' }, { title: 'garbled' }])
    replica.goOnline({ envelope: { rows: 10 } })
    await replica.reset()
    expect(await notesOf(replica)).toMatchObject([{ title: 'first' }, { title: 'first' }])
    await replica.close()
    await expect(replica.reset()).rejects.toMatchObject({
      kind: 'unavailable',
      message: expect.stringContaining('closed'),
    })
  })
})
