import { mkdtemp, rm } from 'node:fs/promises'
import type { ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { Row } from '../../protocol/index.ts'
import { column, defineTable, NOTES } from '../../testing/replica/definitions.ts'
import { fillDevice } from '../../testing/replica/full-device.ts'
import { at, batch, type SnapshotScript } from '../../testing/replica/scripted-server.ts'
import { closeAfterEach, serve, start } from '../../testing/replica/serve.ts'
import { rowsOf, statusThat } from '../../testing/replica/start-replica.ts'

closeAfterEach()

const note = (id: string, org = 'a', title = `title ${id}`, rank: string | null = '1') => ({ id, org, title, rank })

const snapshot = (rows: Row[], more: Partial<SnapshotScript> = {}): SnapshotScript => ({
  start: at(0x100),
  fence: at(0x100),
  snapshot: '10:10:',
  rows: { 'public.note': rows },
  ...more,
})

const many = (count: number) => Array.from({ length: count }, (_, index) => note(String(index).padStart(4, '0')))

describe('hydration', () => {
  test('SNP-01 a fresh client holds what its audiences select', async () => {
    const { server, url } = await serve(NOTES, {
      'org:a': snapshot([note('1'), note('2'), note('3', 'a', 'tab\tline\nback\\slash \u{1f30a}', null)], {
        start: at(0x90),
        fence: at(0x90),
      }),
      'org:b': snapshot([note('4', 'b')], { start: at(0x80), fence: at(0x80), snapshot: '9:9:' }),
    })
    const replica = await start(url)
    const session = await server.session(0)
    expect((await session.frame('stream')).from).toBe(at(0x80))
    session.send(batch(at(0x80), at(0x100)))
    await replica.ready
    expect(await rowsOf(replica, 'note', 'id, org, title, rank')).toEqual([
      { id: '1', org: 'a', title: 'title 1', rank: 1 },
      { id: '2', org: 'a', title: 'title 2', rank: 1 },
      { id: '3', org: 'a', title: 'tab\tline\nback\\slash \u{1f30a}', rank: null },
      { id: '4', org: 'b', title: 'title 4', rank: 1 },
    ])
    const status = await statusThat(replica, ({ phase }) => phase === 'live')
    expect(status).toMatchObject({
      ready: true,
      lsn: at(0x100),
      head: at(0x100),
      rows: 4,
      error: null,
      hydration: null,
    })
  })

  test('SNP-03 SNP-21 APP-R2 a transaction in snapshot and stream is applied once, and one the snapshot lacks is not lost', async () => {
    // The snapshot 728:728: shows 727; the stream brings 728, then 727, both above the start.
    const { server, url } = await serve(NOTES, {
      'org:a': snapshot([note('1', 'a', 'by 727', '727')], { start: at(0x80), fence: at(0x120), snapshot: '728:728:' }),
    })
    server.head = at(0x130)
    const replica = await start(url)
    const session = await server.session(0)
    await session.frame('stream')
    session.send(
      batch(at(0x80), at(0x110), [
        {
          lsn: at(0x100),
          xid: '728',
          changes: [{ o: 'i', t: 'public.note', a: 'org:a', d: note('2', 'a', 'by 728', '728') }],
        },
        {
          lsn: at(0x110),
          xid: '727',
          changes: [{ o: 'i', t: 'public.note', a: 'org:a', d: note('1', 'a', 'by 727', '727') }],
        },
      ]),
    )
    await session.acknowledged()
    expect(replica.status).toMatchObject({ ready: false, phase: 'catching-up', lsn: at(0x110) })
    session.send(
      batch(at(0x110), at(0x130), [
        {
          lsn: at(0x125),
          xid: '727',
          changes: [{ o: 'u', t: 'public.note', a: 'org:a', k: { id: '1' }, d: { rank: '3' } }],
        },
      ]),
    )
    await replica.ready
    expect(replica.status.lsn).toBe(at(0x130))
    expect(await rowsOf(replica, 'note', 'id, rank')).toEqual([
      { id: '1', rank: 3 },
      { id: '2', rank: 728 },
    ])
  })

  test('SNP-08 a chunk that breaks off, then fails its checksum, is fetched again', async () => {
    const { server, url } = await serve(NOTES, { 'org:a': snapshot(many(6)) })
    const bad: string[] = []
    server.intercept = (path, response) => {
      const id = path.split('/')[4]
      if (id === undefined || bad.length === 2) return false
      bad.push(id)
      if (bad.length === 1) response.socket?.destroy()
      else response.end(Buffer.from('not what the manifest says'))
      return true
    }
    const replica = await start(url)
    await replica.ready
    expect(await rowsOf(replica, 'note', 'id')).toHaveLength(6)
    expect(bad).toHaveLength(2)
  })

  test('SNP-08 SNP-13 chunks that stay corrupt or are gone make the client take up the snapshot built since', async () => {
    const { server, url } = await serve(NOTES, { 'org:a': snapshot(many(6)) })
    const stale = new Set(server.manifest('org:a')?.tables[0]?.chunks.map(({ id }) => id))
    let manifests = 0
    server.intercept = (path, response) => {
      const id = path.split('/')[4]
      if (path === '/sync/snapshot/org:a' && ++manifests === 2) {
        server.snapshots.set('org:a', snapshot([note('new')], { start: at(0x140), fence: at(0x140) }))
      }
      if (id === undefined || !stale.has(id)) return false
      response.end(Buffer.from('corrupt'))
      return true
    }
    const replica = await start(url)
    await replica.ready
    expect(await rowsOf(replica, 'note', 'id')).toEqual([{ id: 'new' }])
    expect(replica.status.lsn).toBe(at(0x140))
  })

  test('FLD-105 FLD-106 HYD-R13 HYD-R14 where the snapshot of a first load is gone, its rows stay until others are whole, and progress goes on', async () => {
    const { server, url } = await serve(NOTES, { 'org:a': snapshot(many(40)) })
    const held: ServerResponse[] = []
    let served = 0
    server.intercept = (path, response) => {
      if (path.split('/')[4] === undefined || ++served <= 12) return false
      held.push(response)
      return true
    }
    const replica = await start(url)
    const reached: number[] = []
    replica.subscribe(({ progress }) => reached.push(progress))
    await statusThat(replica, ({ hydration }) => (hydration?.rows ?? 0) >= 20)
    const counts: number[] = []
    const live = await replica.db.live.query<{ count: number }>(
      'SELECT count(*)::int AS count FROM note',
      [],
      ({ rows }) => void counts.push(rows[0]?.count ?? 0),
    )
    server.forgetChunks()
    server.snapshots.set('org:a', snapshot(many(50).slice(45), { start: at(0x140), fence: at(0x140) }))
    server.intercept = () => false
    for (const response of held) response.writeHead(404).end()
    await replica.ready
    expect(await rowsOf(replica, 'note', 'id')).toHaveLength(5)
    await live.unsubscribe()
    expect(Math.min(...counts.slice(0, -1))).toBeGreaterThanOrEqual(20)
    expect(reached).toEqual([...reached].sort((a, b) => a - b))
    expect(replica.status).toMatchObject({ ready: true, progress: 1, lsn: at(0x140) })
  })

  test('SNP-09 FLT-09 APP-R3 a replica closed in mid-hydration goes on at the chunk and is never ready half full', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'tidemark-'))
    try {
      const { server, url } = await serve(NOTES, { 'org:a': snapshot(many(40)) })
      let served = 0
      let hold = true
      server.intercept = (path, response) => {
        if (path.split('/')[4] === undefined) return false
        if (hold && ++served > 12) {
          response.on('error', () => undefined)
          return true
        }
        return false
      }
      const first = await start(url, { storage: join(directory, 'replica') })
      await statusThat(first, ({ hydration }) => (hydration?.rows ?? 0) >= 20)
      expect(first.status.ready).toBe(false)
      const half = first.status.hydration?.rows ?? 0
      await first.close()
      await expect(first.ready).rejects.toMatchObject({ kind: 'unavailable' })
      hold = false
      server.requests.length = 0
      const second = await start(url, { storage: join(directory, 'replica') })
      expect(second.status.ready).toBe(false)
      await second.ready
      expect(await rowsOf(second, 'note', 'id')).toHaveLength(40)
      const chunks = server.requests.filter((path) => path.split('/')[4] !== undefined)
      expect(chunks).toHaveLength(20 - half / server.chunkRows)
      expect(server.requests).not.toContain('/sync/snapshot/org:a')
      await second.close()
      server.requests.length = 0
      const third = await start(url, { storage: join(directory, 'replica') })
      expect(third.status).toMatchObject({ ready: true, rows: 40 })
      await third.ready
      const session = await server.session(2)
      expect(session.hello).toMatchObject({
        epoch: 'epoch-one',
        cursor: at(0x100),
        definitionHash: 'hash-one',
        audiences: ['org:a'],
      })
      expect(server.requests).toEqual([])
    } finally {
      await rm(directory, { recursive: true, force: true })
    }
  })

  test('SNP-10 audiences of different snapshots are ready only past every fence', async () => {
    const { server, url } = await serve(NOTES, {
      'org:a': snapshot([note('1')], { start: at(0x80), fence: at(0x90), snapshot: '10:10:' }),
      'org:b': snapshot([note('2', 'b')], { start: at(0xa0), fence: at(0xc0), snapshot: '20:20:' }),
    })
    server.head = at(0xc0)
    const replica = await start(url)
    const session = await server.session(0)
    expect((await session.frame('stream')).from).toBe(at(0x80))
    const change = (id: string, org: string, rank: string) =>
      ({ o: 'u', t: 'public.note', a: `org:${org}`, k: { id }, d: { rank } }) as const
    session.send(
      batch(
        at(0x80),
        at(0xb0),
        [
          { lsn: at(0x95), xid: '12', changes: [change('1', 'a', '5'), change('2', 'b', '5')] },
          { lsn: at(0xb0), xid: '21', changes: [change('2', 'b', '7')] },
        ],
        at(0xc0),
      ),
    )
    await session.acknowledged()
    expect(replica.status.ready).toBe(false)
    session.send(batch(at(0xb0), at(0xc0)))
    await replica.ready
    expect(await rowsOf(replica, 'note', 'id, rank')).toEqual([
      { id: '1', rank: 5 },
      { id: '2', rank: 7 },
    ])
  })

  test('SNP-10 APP-R4 a row that moved between two snapshots stands as the later one shows it, and its earlier changes pass', async () => {
    // Row 1 moved from a to b in transaction 15, which only the snapshot of b shows; row 2 moved from b to a in 16, which neither shows.
    const { server, url } = await serve(NOTES, {
      'org:a': snapshot([note('1', 'a', 'old', '1')], { start: at(0x80), fence: at(0x90), snapshot: '10:10:' }),
      'org:b': snapshot([note('1', 'b', 'moved', '2'), note('2', 'b')], {
        start: at(0xa0),
        fence: at(0xc0),
        snapshot: '16:16:',
      }),
    })
    server.head = at(0xd0)
    const replica = await start(url)
    const session = await server.session(0)
    await session.frame('stream')
    const t = 'public.note'
    session.send(
      batch(at(0x80), at(0xd0), [
        { lsn: at(0x93), xid: '14', changes: [{ o: 'u', t, a: 'org:a', k: { id: '1' }, d: { title: 'older' } }] },
        {
          lsn: at(0x95),
          xid: '15',
          changes: [
            { o: 'd', t, a: 'org:a', k: { id: '1' } },
            { o: 'i', t, a: 'org:b', d: note('1', 'b', 'moved', '2') },
          ],
        },
        {
          lsn: at(0xb0),
          xid: '16',
          changes: [
            { o: 'd', t, a: 'org:b', k: { id: '2' } },
            { o: 'i', t, a: 'org:a', d: note('2', 'a', 'moved back', '9') },
          ],
        },
      ]),
    )
    await replica.ready
    expect(replica.status.error).toBeNull()
    expect(await rowsOf(replica, 'note', 'id, org, title, rank')).toEqual([
      { id: '1', org: 'b', title: 'moved', rank: 2 },
      { id: '2', org: 'a', title: 'moved back', rank: 9 },
    ])
    expect(replica.status.rows).toBe(2)
  })

  test('SNP-11 no rows, no tables, no audiences', async () => {
    const empty = await serve(NOTES, { 'org:a': snapshot([]) })
    const replica = await start(empty.url)
    await replica.ready
    expect(await rowsOf(replica, 'note')).toEqual([])
    const bare = await serve({ types: [], tables: [] }, { all: snapshot([]) })
    await (await start(bare.url)).ready
  })

  test('FLD-128 HYD-R15 whoever may see nothing has empty tables, and loses nothing of the app’s own where the history begins anew', async () => {
    const { server, url } = await serve(NOTES, {})
    const warnings: string[] = []
    const replica = await start(url, { onWarning: ({ message }) => warnings.push(message) })
    await replica.ready
    expect(await rowsOf(replica, 'note')).toEqual([])
    await replica.db.exec('CREATE VIEW titles AS SELECT title FROM note')
    const seen: unknown[] = []
    await replica.db.live.query('SELECT count(*)::int AS n FROM note', [], ({ rows }) => seen.push(rows[0]?.n))
    server.epoch = 'another'
    server.definitionVersion += 1
    server.sessions[0]?.close(1001)
    await server.session(1)
    await statusThat(replica, ({ epoch, phase }) => epoch === 'another' && phase === 'live')
    expect(await rowsOf(replica, 'note')).toEqual([])
    expect((await replica.db.query('SELECT * FROM titles')).rows).toEqual([])
    expect(warnings).toEqual([])
    // An audience that is granted then joins as ever.
    server.epoch = 'third'
    server.audiences = ['org:a']
    server.snapshots.set('org:a', snapshot([note('1', 'a', 'first')]))
    server.sessions[1]?.close(1001)
    await statusThat(replica, ({ epoch, phase }) => epoch === 'third' && phase === 'live')
    expect((await replica.db.query('SELECT * FROM titles')).rows).toEqual([{ title: 'first' }])
    expect(seen.at(-1)).toBe(1)
  })

  test('SNP-11 100,000 rows are loaded, indexed and counted', async () => {
    const { server, url } = await serve(NOTES, { 'org:a': snapshot(many(100_000)) })
    server.chunkRows = 10_000
    const replica = await start(url)
    const seen: number[] = []
    replica.subscribe(({ hydration }) => hydration && seen.push(hydration.rows))
    await replica.ready
    expect(replica.status.rows).toBe(100_000)
    expect(seen).toEqual([...seen].sort((a, b) => a - b))
    const { rows } = await replica.db.query<{ name: string }>(
      `SELECT indexrelid::regclass::text AS name FROM pg_index WHERE indrelid = 'note'::regclass ORDER BY 1`,
    )
    expect(rows.map(({ name }) => name)).toEqual(['note_pkey', 'note_rank', 'note_title_key'])
  })

  test('SNP-12 circular, self- and cross-audience foreign keys do not stand in the way of loading or applying', async () => {
    const key = (from: string, name: string, to: string) => ({
      name,
      statement: `ALTER TABLE public.${from} ADD CONSTRAINT ${name} FOREIGN KEY (parent) REFERENCES public.${to}(id) NOT VALID`,
    })
    const definition = {
      types: [],
      tables: [
        defineTable('left', [column('id'), column('org'), column('parent')], {
          foreignKeys: [key('"left"', 'left_right', '"right"'), key('"left"', 'left_left', '"left"')],
        }),
        defineTable('right', [column('id'), column('org'), column('parent')], {
          foreignKeys: [key('"right"', 'right_left', '"left"')],
        }),
      ],
    }
    const { server, url } = await serve(definition, {
      'org:a': snapshot([], {
        rows: {
          'public.left': [{ id: '1', org: 'a', parent: '2' }],
          'public.right': [{ id: '2', org: 'a', parent: 'not visible here' }],
        },
      }),
    })
    const replica = await start(url)
    await replica.ready
    const session = await server.session(0)
    session.send(
      batch(at(0x100), at(0x110), [
        {
          lsn: at(0x110),
          xid: '11',
          changes: [
            { o: 'i', t: 'public.left', a: 'org:a', d: { id: '3', org: 'a', parent: '9' } },
            { o: 'd', t: 'public.right', a: 'org:a', k: { id: '2' } },
          ],
        },
      ]),
    )
    await replica.reached(at(0x110))
    expect(await rowsOf(replica, '"left"', 'id')).toEqual([{ id: '1' }, { id: '3' }])
    const { rows } = await replica.db.query(`SELECT conname FROM pg_constraint WHERE contype = 'f'`)
    expect(rows).toHaveLength(3)
  })

  test('APP-R7 frames that come before the load is done are not applied early and not lost', async () => {
    const { server, url } = await serve(NOTES, { 'org:a': snapshot([note('1')]) })
    let release: () => void = () => undefined
    const asked = new Promise<void>((resolve) => {
      server.intercept = (path, response) => {
        const id = path.split('/')[4]
        if (id === undefined) return false
        release = () => response.end(server.chunk(id))
        resolve()
        return true
      }
    })
    const replica = await start(url)
    const session = await server.session(0)
    await asked
    const insert = {
      lsn: at(0x110),
      xid: '11',
      changes: [{ o: 'i', t: 'public.note', a: 'org:a', d: note('2') }],
    } as const
    session.send(batch(at(0xf0), at(0x110), [insert]))
    release()
    const { from } = await session.frame('stream')
    expect(from).toBe(at(0x100))
    session.send(batch(from, at(0x110), [insert]))
    await replica.reached(at(0x110))
    expect(await rowsOf(replica, 'note', 'id')).toEqual([{ id: '1' }, { id: '2' }])
    expect(server.sessions).toHaveLength(1)
  })

  test('SNP-13 APP-R5 a new epoch is loaded aside: old rows until the new are whole, then one change', async () => {
    const { server, url } = await serve(NOTES, { 'org:a': snapshot(many(6)) })
    const replica = await start(url)
    await replica.ready
    const counts: unknown[] = []
    const live = await replica.db.live.query<{ n: number }>(
      'SELECT count(*)::int AS n, min(title) AS t FROM note',
      [],
      ({ rows }) => {
        counts.push(rows[0]?.n)
      },
    )
    server.epoch = 'epoch-two'
    server.snapshots.set(
      'org:a',
      snapshot([note('a'), note('b'), note('c')], { start: at(0x10), fence: at(0x20), snapshot: '3:3:' }),
    )
    const first = await server.session(0)
    server.head = at(0x20)
    first.cut()
    const second = await server.session(1)
    await second.frame('stream')
    expect(replica.status).toMatchObject({ ready: true, epoch: 'epoch-one', rows: 6 })
    expect(await rowsOf(replica, 'note', 'id')).toHaveLength(6)
    second.send(
      batch(at(0x10), at(0x20), [
        { lsn: at(0x18), xid: '5', changes: [{ o: 'd', t: 'public.note', a: 'org:a', k: { id: 'a' } }] },
      ]),
    )
    await statusThat(replica, ({ epoch, phase }) => epoch === 'epoch-two' && phase === 'live')
    expect(await rowsOf(replica, 'note', 'id')).toEqual([{ id: 'b' }, { id: 'c' }])
    expect(replica.status).toMatchObject({ lsn: at(0x20), rows: 2 })
    await live.refresh()
    expect(new Set(counts)).toEqual(new Set([6, 2]))
    await live.unsubscribe()
  })

  test('APP-R7 DIS-R6 before it streams anew it acknowledges everything, applied or not', async () => {
    const { server, url } = await serve(NOTES, { 'org:a': snapshot([note('1')]) })
    const replica = await start(url)
    await replica.ready
    const session = await server.session(0)
    const dropped = batch(at(0x100), at(0x110), [
      { lsn: at(0x110), xid: '11', changes: [{ o: 'i', t: 'public.note', a: 'org:a', d: note('2') }] },
    ])
    server.snapshots.set('org:a', snapshot([note('1'), note('2')], { start: at(0x120), fence: at(0x120) }))
    session.send(dropped, { type: 'rehydrate', reason: 'definition' })
    const sent = session.sentCharacters
    const again = await session.frame('stream', ({ from }) => from === at(0x120))
    const told = session.received.slice(0, session.received.indexOf(again))
    expect(told.filter((frame) => frame.type === 'ack').at(-1)?.received).toBe(sent)
    await replica.reached(at(0x120))
    expect(await rowsOf(replica, 'note', 'id')).toEqual([{ id: '1' }, { id: '2' }])
  })

  test('SNP-13 the same definition in a later version is loaded anew', async () => {
    const { server, url } = await serve(NOTES, { 'org:a': snapshot([note('1')]) })
    const replica = await start(url)
    await replica.ready
    server.definitionVersion = 3
    server.snapshots.set('org:a', snapshot([note('1'), note('2')], { start: at(0x120), fence: at(0x120) }))
    server.head = at(0x120)
    ;(await server.session(0)).cut()
    const second = await server.session(1)
    expect(second.hello).toMatchObject({ definitionVersion: 1 })
    expect((await second.frame('stream')).from).toBe(at(0x100))
    second.send(batch(at(0x100), at(0x120)))
    await replica.reached(at(0x120))
    expect(await rowsOf(replica, 'note', 'id')).toEqual([{ id: '1' }, { id: '2' }])
    second.cut()
    expect((await server.session(2)).hello).toMatchObject({ definitionVersion: 3 })
  })

  test('APP-R11 rows of an audience that was lost go before the others are loaded anew', async () => {
    const rows = { 'org:a': snapshot([note('1')]), 'org:b': snapshot([note('2', 'b')]) }
    const { server, url } = await serve(NOTES, rows)
    const replica = await start(url)
    await replica.ready
    server.audiences = ['org:a']
    server.epoch = 'epoch-two'
    const asked = new Promise<void>((resolve) => {
      // The request is never answered, so that the load stays where it is.
      server.intercept = (path) => {
        if (path.startsWith('/sync/snapshot/')) resolve()
        return path.startsWith('/sync/snapshot/')
      }
    })
    ;(await server.session(0)).cut()
    await asked
    expect(await rowsOf(replica, 'note', 'id')).toEqual([{ id: '1' }])
    expect(replica.status).toMatchObject({ ready: true, audiences: ['org:a'] })
  })

  test('SNP-13 a new definition remakes the tables it changes and keeps the app’s own', async () => {
    const { server, url } = await serve(NOTES, { 'org:a': snapshot([note('1')]) })
    const replica = await start(url)
    await replica.ready
    await replica.db.exec(`CREATE TABLE draft (id int PRIMARY KEY, body text); INSERT INTO draft VALUES (1, 'mine')`)
    const [table] = NOTES.tables
    if (!table) throw new Error('no table')
    server.definition = {
      types: [{ schema: 'public', name: 'mood', statement: `CREATE TYPE public.mood AS ENUM ('calm')` }],
      tables: [{ ...table, columns: [...table.columns, column('mood', 'public.mood')] }],
    }
    server.definitionHash = 'hash-two'
    server.definitionVersion = 2
    server.snapshots.set('org:a', snapshot([{ ...note('1'), mood: 'calm' }], { start: at(0x120), fence: at(0x120) }))
    ;(await server.session(0)).send({ type: 'rehydrate', reason: 'definition' })
    ;(await server.session(0)).cut()
    const second = await server.session(1)
    await second.frame('stream')
    second.send(batch(at(0x100), at(0x120)))
    // The table is loaded beside the ones that go on streaming, and joins at that commit or later.
    await replica.reached(at(0x120))
    expect(await rowsOf(replica, 'note', 'id, mood')).toEqual([{ id: '1', mood: 'calm' }])
    expect(await rowsOf(replica, 'draft', 'body')).toEqual([{ body: 'mine' }])
  })

  test('SNP-23 HYD-R1 a load beyond the envelope is refused by type before anything is loaded, until the app raises it', async () => {
    const { server, url } = await serve(NOTES, { 'org:a': snapshot(many(6)), 'org:b': snapshot([note('x', 'b')]) })
    const replica = await start(url, { envelope: { rows: 6 } })
    const refused = await statusThat(replica, ({ phase }) => phase === 'refused')
    expect(refused).toMatchObject({ ready: false, rows: 0, hydration: null })
    expect(refused.error).toMatchObject({ kind: 'limit-exceeded' })
    expect(refused.error?.message).toMatch(/7 rows and \d+ bytes, where 6 rows/)
    expect(server.requests).toEqual(['/sync/snapshot/org:a', '/sync/snapshot/org:b'])
    await expect(replica.settled()).rejects.toMatchObject({ kind: 'limit-exceeded' })
    replica.goOnline({ envelope: { bytes: 10 } })
    expect((await statusThat(replica, ({ error }) => error?.message.includes('10 bytes') ?? false)).phase).toBe(
      'refused',
    )
    expect(() => replica.goOnline({ envelope: { rows: Number.NaN } })).toThrow(/envelope.rows/)
    replica.goOnline({ envelope: { rows: 7, bytes: Number.POSITIVE_INFINITY } })
    await replica.ready
    expect(await statusThat(replica, ({ phase }) => phase === 'live')).toMatchObject({ rows: 7, error: null })
  })

  test('SNP-23 HYD-R1 what was loaded before stays shown where its successor is beyond the envelope', async () => {
    const { server, url } = await serve(NOTES, { 'org:a': snapshot(many(3)) })
    const replica = await start(url, { envelope: { rows: 4 } })
    await replica.ready
    server.epoch = 'epoch-two'
    server.definitionHash = 'hash-two'
    server.definition = { types: [], tables: [...NOTES.tables, defineTable('other', [column('id'), column('org')])] }
    server.snapshots.set('org:a', snapshot(many(5)))
    ;(await server.session(0)).cut()
    const refused = await statusThat(replica, ({ phase }) => phase === 'refused')
    expect(refused).toMatchObject({ ready: true, rows: 3, epoch: 'epoch-one', error: { kind: 'limit-exceeded' } })
    expect(await rowsOf(replica, 'note', 'id')).toHaveLength(3)
    server.snapshots.set('org:a', snapshot(many(4)))
    replica.goOnline()
    await statusThat(replica, ({ phase, rows }) => phase === 'live' && rows === 4)
    expect(await rowsOf(replica, 'note', 'id')).toHaveLength(4)
  })

  test.each(['ENOSPC', 'EFBIG'] as const)(
    'SNP-19 HYD-R2 a device without room (%s) ends the load by type, without a loop, and keeps what was shown',
    async (code) => {
      const { server, url } = await serve(NOTES, { 'org:a': snapshot(many(3)) })
      const replica = await start(url)
      await replica.ready
      const giveRoom = fillDevice(replica.db, code)
      server.chunkRows = 1000
      server.epoch = 'epoch-two'
      server.snapshots.set('org:a', snapshot(many(3000)))
      ;(await server.session(0)).cut()
      const refused = await statusThat(replica, ({ phase }) => phase === 'refused')
      expect(refused).toMatchObject({ ready: true, rows: 3, epoch: 'epoch-one', error: { kind: 'storage' } })
      expect(await rowsOf(replica, 'note', 'id')).toHaveLength(3)
      await (await server.session(1)).closed()
      expect(server.sessions).toHaveLength(2)
      giveRoom()
      replica.goOnline()
      await statusThat(replica, ({ phase, rows }) => phase === 'live' && rows === 3000)
      expect(await rowsOf(replica, 'note', 'id')).toHaveLength(3000)
    },
  )

  test('HYD-R3 tables of live queries opened during the load come before all that was not asked for yet', async () => {
    const names = ['first', 'second', 'third']
    const row = (id: string, org: string) => ({ id, org })
    const rows = (org: string) =>
      Object.fromEntries(
        names.map((name) => [`public.${name}`, Array.from({ length: 40 }, (_, n) => row(`${name} ${org}${n}`, org))]),
      )
    const definition = {
      types: [],
      tables: names.map((name) => defineTable(name, [column('id'), column('org')])),
    }
    const { server, url } = await serve(definition, {
      'org:a': snapshot([], { rows: rows('a') }),
      'org:b': snapshot([], { rows: rows('b'), snapshot: '11:11:' }),
    })
    const tableOf = new Map<string, string>()
    for (const audience of ['org:a', 'org:b']) {
      for (const { table, chunks } of server.manifest(audience)?.tables ?? []) {
        for (const { id } of chunks) tableOf.set(id, `${table} ${audience}`)
      }
    }
    const asked: string[] = []
    const held: (() => void)[] = []
    let holding = true
    server.intercept = (path, response) => {
      const id = path.split('/')[4]
      if (id === undefined) return false
      asked.push(tableOf.get(id) ?? '')
      if (!holding) return false
      held.push(() => response.end(server.chunk(id)))
      return true
    }
    const replica = await start(url)
    await statusThat(replica, ({ hydration }) => hydration !== null)
    const counts: number[] = []
    const live = await replica.db.live.query<{ n: number }>('SELECT count(*)::int AS n FROM third', [], (result) => {
      counts.push(result.rows[0]?.n ?? 0)
    })
    holding = false
    for (const release of held.splice(0)) release()
    await replica.ready
    // The chunks under way come before it: the group in hand and the chunks ahead, less than the first table.
    const others = asked.slice(
      0,
      asked.findLastIndex((table) => table.startsWith('public.third')),
    )
    expect(others.filter((table) => !table.startsWith('public.third')).length).toBeLessThan(40)
    expect(asked).toHaveLength(3 * 40)
    await live.refresh()
    expect(counts.at(-1)).toBe(80)
    await live.unsubscribe()
    for (const name of names) expect(await rowsOf(replica, name, 'id')).toHaveLength(80)
  })
})
