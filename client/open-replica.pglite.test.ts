import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { NOTES } from '../testing/replica/definitions.ts'
import { at, batch, type SnapshotScript } from '../testing/replica/scripted-server.ts'
import { closeAfterEach, serve, start } from '../testing/replica/serve.ts'
import { rowsOf, startReplica, statusThat } from '../testing/replica/start-replica.ts'
import { until } from '../testing/system/until.ts'

closeAfterEach()

const note = (id: string) => ({ id, org: 'a', title: `title ${id}`, rank: '1' })
const insert = (id: string) => ({ o: 'i', t: 'public.note', a: 'org:a', d: note(id) }) as const
const NOTHING_MISSED: SnapshotScript = {
  start: at(0x100),
  fence: at(0x100),
  snapshot: '10:10:',
  rows: { 'public.note': [note('1')] },
}
const SNAPSHOTS = { 'org:a': NOTHING_MISSED }

async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'tidemark-'))
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
  return directory
}

/** A token like a real one, expiring at a time. */
const jwt = (claims: object) => `x.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.y`

describe('openReplica', () => {
  test('OPS-09 the client runs in Node: a directory keeps the replica, which opens offline', async () => {
    const { server, url } = await serve(NOTES, SNAPSHOTS)
    const storage = join(await temporaryDirectory(), 'replica')
    const replica = await start(url, { storage })
    await replica.ready
    await replica.close()
    await server.close()
    const offline = await start(url, { storage })
    await offline.ready
    expect(await rowsOf(offline, 'note', 'id')).toEqual([{ id: '1' }])
    expect(offline.status).toMatchObject({ ready: true, lsn: at(0x100), audiences: ['org:a'], rows: 1 })
    await statusThat(offline, ({ phase }) => phase === 'backing-off')
    expect(offline.status.error?.kind).toBe('unavailable')
  })

  test('APP-R12 a storage is open once, and another user’s name opens another', async () => {
    const { url } = await serve(NOTES, SNAPSHOTS)
    const storage = join(await temporaryDirectory(), 'replica')
    const replica = await start(url, { storage })
    await replica.ready
    await expect(startReplica(url, { storage })).rejects.toMatchObject({ kind: 'already-open' })
    const other = await start(url, { storage, user: 'bob' })
    expect(other.status.ready).toBe(false)
    await other.ready
    const closing = replica.close()
    // One that is opened here while it closes is no other's: it waits.
    const again = await start(url, { storage })
    await closing
    expect(again.status.ready).toBe(true)
  })

  test('APP-09 JRN-R2 a database that this library cannot read is put aside and loaded anew, and it is said', async () => {
    const { url } = await serve(NOTES, SNAPSHOTS)
    const directory = await temporaryDirectory()
    const storage = join(directory, 'replica')
    const replica = await start(url, { storage })
    await replica.ready
    await replica.db.exec('UPDATE tidemark.owner SET format = 0')
    await replica.close()
    const [folder = ''] = await readdir(directory)
    const older = await start(url, { storage })
    expect(older.status.rebuilt).toContain(`put aside as ${join(directory, folder)}`)
    await older.ready
    expect(await rowsOf(older, 'note', 'id')).toEqual([{ id: '1' }])
    expect(await readdir(directory)).toContain(folder)
  })

  test('APP-R13 settled asks for a fresh head and waits for it; offline and closed replicas say so', async () => {
    const { server, url } = await serve(NOTES, SNAPSHOTS)
    const replica = await start(url)
    await replica.ready
    const session = await server.session(0)
    server.head = at(0x110)
    const settled = replica.settled()
    const reached = replica.reached('0/110')
    session.send(batch(at(0x100), at(0x110), [{ lsn: at(0x110), xid: '11', changes: [insert('2')] }]))
    await Promise.all([settled, reached])
    expect(await rowsOf(replica, 'note', 'id')).toHaveLength(2)
    server.head = at(0x120)
    const asked = new Promise<void>((resolve) => {
      server.intercept = (path) => {
        if (path === '/sync/head') resolve()
        return false
      }
    })
    const cutOff = replica.settled()
    await asked
    replica.goOffline()
    await expect(cutOff).rejects.toMatchObject({ kind: 'unavailable' })
    await expect(replica.settled()).rejects.toMatchObject({ kind: 'unavailable' })
    await session.closed()
    const later = replica.reached(at(0x120))
    replica.goOnline()
    const second = await server.session(1)
    expect(second.hello.cursor).toBe(at(0x110))
    second.send(batch(at(0x110), at(0x120)))
    await later
    const never = replica.reached(at(0x999))
    await replica.close()
    await expect(never).rejects.toMatchObject({ kind: 'unavailable' })
    await expect(replica.settled()).rejects.toMatchObject({ kind: 'unavailable' })
    expect(replica.status.phase).toBe('closed')
  })

  test('APP-R30 reached asks for the head where nothing has told of its place, once a connection', async () => {
    const { server, url } = await serve(NOTES, SNAPSHOTS)
    const replica = await start(url)
    await replica.ready
    const asked = () => server.requests.filter((path) => path === '/sync/head').length
    const session = await server.session(0)
    const before = asked()
    await replica.reached(at(0x100))
    expect(asked()).toBe(before)
    // What is read after a commit may lie beyond it, where nothing else ever ends.
    server.intercept = (path) => {
      if (path === '/sync/head') session.send(batch(at(0x100), at(0x120)))
      return false
    }
    await replica.reached(at(0x118))
    expect(asked()).toBe(before + 1)
    server.intercept = () => false
    const later = replica.reached(at(0x150))
    await until(() => asked() === before + 2)
    session.send(batch(at(0x120), at(0x130)), batch(at(0x130), at(0x140)))
    await statusThat(replica, ({ lsn, phase }) => lsn === at(0x140) && phase === 'live')
    expect(asked()).toBe(before + 2)
    session.cut()
    const next = await server.session(1)
    next.send(batch(at(0x140), at(0x140)))
    await until(() => asked() === before + 3)
    next.send(batch(at(0x140), at(0x150)))
    await later
  })

  test('FLD-21 APP-R13 settled waits for a history that is on its way, asks anew where yet another came, and ends offline', async () => {
    const { server, url } = await serve(NOTES, SNAPSHOTS)
    const replica = await start(url)
    await replica.ready
    const session = await server.session(0)
    let asked = 0
    const heads = Array.from({ length: 3 }, () => Promise.withResolvers<void>())
    server.intercept = (path) => {
      if (path === '/sync/head') heads[asked++]?.resolve()
      return false
    }
    server.epoch = 'epoch-two'
    const settled = replica.settled()
    await heads[0]?.promise
    // By the time the replica loads, the history that was announced to it is over too.
    server.epoch = 'epoch-three'
    session.send({ type: 'rehydrate', reason: 'epoch' })
    await heads[1]?.promise
    await settled
    expect(replica.status).toMatchObject({ epoch: 'epoch-three', ready: true })
    server.epoch = 'epoch-four'
    const never = replica.settled()
    await heads[2]?.promise
    replica.goOffline()
    await expect(never).rejects.toMatchObject({ kind: 'unavailable' })
    expect(asked).toBe(3)
  })

  test('DIS-22 APP-R14 a refused token is asked for again at once, an expired one on the same socket before it ends', async () => {
    const { server, url } = await serve(NOTES, SNAPSHOTS)
    const tokens = ['stale', jwt({ exp: Math.floor(Date.now() / 1000) + 3 }), 'opaque']
    let calls = 0
    const replica = await start(url, { token: () => tokens[Math.min(calls++, 2)] ?? '' })
    const first = await server.session(0)
    first.send({ type: 'fault', kind: 'unauthenticated', message: 'no' })
    const second = await server.session(1)
    expect(server.tokens).toEqual(['stale', tokens[1]])
    await replica.ready
    expect((await second.frame('token')).token).toBe('opaque')
    expect(server.sessions).toHaveLength(2)
  })

  test('FLT-10 a gap, frames out of order and a broken frame reconnect at the cursor; no wrong row stays', async () => {
    const { server, url } = await serve(NOTES, SNAPSHOTS)
    const replica = await start(url)
    await replica.ready
    const one = { lsn: at(0x110), xid: '11', changes: [insert('2')] }
    const two = { lsn: at(0x120), xid: '12', changes: [insert('3')] }
    const wrong: readonly ((text: string) => string)[] = [
      () => JSON.stringify(batch(at(0x110), at(0x120), [two])),
      () => JSON.stringify(batch(at(0x100), at(0x120), [two, one])),
      (text) => text.slice(0, -7),
      () => '<html>Sign in to the network</html>',
      (text) => text.replace('"a":"org:a"', '"a":7'),
      () =>
        JSON.stringify({
          type: 'part',
          from: at(0x100),
          lsn: at(0x120),
          head: at(0x120),
          xid: '12',
          at: '',
          index: 1,
          last: true,
          changes: two.changes,
        }),
    ]
    for (const [index, make] of wrong.entries()) {
      const session = await server.session(index)
      session.sendText(make(JSON.stringify(batch(at(0x100), at(0x110), [one]))))
      await session.closed()
      const next = await server.session(index + 1)
      expect(next.hello.cursor).toBe(at(0x100))
    }
    const session = await server.session(wrong.length)
    session.send(batch(at(0x100), at(0x120), [one, two]))
    await replica.reached(at(0x120))
    expect(await rowsOf(replica, 'note', 'id')).toEqual([{ id: '1' }, { id: '2' }, { id: '3' }])
    await statusThat(replica, ({ phase, error }) => phase === 'live' && error === null)
  })

  test('FLT-10 a captive portal, in place of socket, manifest and chunk, is waited out', async () => {
    const { server, url } = await serve(NOTES, SNAPSHOTS)
    let portals = 0
    server.refuseUpgrade = () => (portals++ === 0 ? 200 : null)
    server.intercept = (path, response) => {
      if (!path.startsWith('/sync/snapshot') || portals++ > 4) return false
      response.setHeader('content-type', 'text/html')
      response.end('<html>Sign in to the network</html>')
      return true
    }
    const replica = await start(url)
    await replica.ready
    expect(await rowsOf(replica, 'note', 'id')).toEqual([{ id: '1' }])
  })

  test('APP-R15 a fault that no retry mends is refused until the app says otherwise', async () => {
    const { server, url } = await serve(NOTES, SNAPSHOTS)
    const replica = await start(url)
    await replica.ready
    const session = await server.session(0)
    session.close(4426, 'too old')
    const { error } = await statusThat(replica, ({ phase }) => phase === 'refused')
    expect(error).toMatchObject({ kind: 'upgrade-required', message: 'too old' })
    await expect(replica.settled()).rejects.toMatchObject({ kind: 'upgrade-required' })
    replica.goOnline()
    await server.session(1)
  })

  test('APP-R9 a local table by the name of a synced one is one clear error', async () => {
    const { url } = await serve(NOTES, SNAPSHOTS)
    const storage = join(await temporaryDirectory(), 'replica')
    const unreachable = await start('http://127.0.0.1:9', { storage })
    await unreachable.db.exec('CREATE TABLE note (mine int)')
    await unreachable.close()
    const replica = await start(url, { storage })
    const { error } = await statusThat(replica, ({ phase }) => phase === 'refused')
    expect(error).toMatchObject({ kind: 'bad-input', message: expect.stringContaining('rename it') })
  })

  test('APP-R12 wrong options are refused with what to do', async () => {
    await expect(startReplica('app.example')).rejects.toMatchObject({ kind: 'bad-input' })
    await expect(startReplica('https://app.example', { user: '' })).rejects.toMatchObject({ kind: 'bad-input' })
    await expect(startReplica('https://app.example', { storage: 'sqlite://x' })).rejects.toMatchObject({
      kind: 'bad-input',
    })
  })
})
