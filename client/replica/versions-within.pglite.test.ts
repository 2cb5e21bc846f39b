import { expect, test } from 'vitest'
import type { MarkedChange, Row, TidemarkError } from '../../protocol/index.ts'
import { column, defineTable } from '../../testing/replica/definitions.ts'
import { at, batch, type ScriptedSession } from '../../testing/replica/scripted-server.ts'
import { closeAfterEach, serve, start } from '../../testing/replica/serve.ts'
import { rowsOf, statusThat } from '../../testing/replica/start-replica.ts'

closeAfterEach()

const key = [column('id'), column('org', 'text', { notNull: true })]
const task = defineTable('task', [...key, column('title')], { write: 'all', since: 1 })
const note = defineTable('note', [...key, column('text')], { since: 1 })
const carried = (...names: string[]) => names.map((name) => ({ name, from: name }))
const same = (id: string) => ({ table: id, from: id })
const lsn = at(0x120)

const update = (table: string, id: string, d: Row): MarkedChange => ({
  o: 'u',
  t: `public.${table}`,
  a: 'org:a',
  k: { id },
  d: { ...d },
})
const insert = (table: string, d: Row): MarkedChange => ({ o: 'i', t: `public.${table}`, a: 'org:a', d: { ...d } })
const version = (number: number): MarkedChange => ({ o: 'v', k: { version: String(number) } })

/** A replica of version 1, beside a server that has put three more in force by one transaction. */
async function opened(notNull = false) {
  const { server, url } = await serve(
    { types: [], tables: [note, task] },
    {
      'org:a': {
        start: at(0x100),
        fence: at(0x100),
        snapshot: '10:10:',
        rows: {
          'public.task': [{ id: 't', org: 'a', title: 'old' }],
          'public.note': [{ id: 'n', org: 'a', text: 'text' }],
        },
      },
    },
  )
  const warnings: TidemarkError[] = []
  const replica = await start(url, { onWarning: (warning) => warnings.push(warning) })
  await replica.ready
  await statusThat(replica, ({ phase }) => phase === 'live')
  const session = await server.session(0)
  await session.frame('stream')
  const loaded = server.requests.length
  const downloads = () => server.requests.slice(loaded).filter((path) => path.startsWith('/sync/snapshot'))
  const withRank = { ...task, columns: [...task.columns, column('rank', 'integer', { notNull })], since: 2 }
  const label = defineTable('label', [...key, column('title')], { since: 3 })
  const withPlace = { ...task, columns: [...key, column('place', 'integer', { notNull })], since: 4 }
  server.putInForce({ types: [], tables: [note, withRank] }, lsn, [
    { ...same(task.id), columns: [...carried('id', 'org', 'title'), { name: 'rank', from: null }] },
  ])
  server.putInForce({ types: [], tables: [label, note, withRank] }, lsn, [{ table: label.id, from: null, columns: [] }])
  server.putInForce({ types: [], tables: [label, note, withPlace] }, lsn, [
    { ...same(task.id), columns: [...carried('id', 'org'), { name: 'place', from: 'rank' }] },
  ])
  return { server, replica, session, downloads, warnings }
}

const changes = [
  update('task', 't', { title: 'before' }),
  version(2),
  update('task', 't', { rank: '1' }),
  insert('task', { id: 'u', org: 'a', title: 'added', rank: '2' }),
  version(3),
  insert('label', { id: 't', org: 'a', title: 'before' }),
  update('note', 'n', { text: 'between' }),
  version(4),
  update('task', 'u', { place: '3' }),
]

async function announce(session: ScriptedSession): Promise<void> {
  const before = new Set<unknown>(session.received)
  session.send({ type: 'rehydrate', reason: 'definition' })
  await session.frame('stream', (frame) => !before.has(frame))
}

const sendBatch = (session: ScriptedSession) =>
  session.send(
    batch(at(0x100), at(0x130), [
      { lsn: at(0x110), xid: '11', changes: [update('note', 'n', { text: 'earlier' })] },
      { lsn, xid: '12', changes },
      { lsn: at(0x130), xid: '13', changes: [update('task', 't', { place: '4' })] },
    ]),
  )

function sendParts(session: ScriptedSession): void {
  const piece = { from: at(0x100), lsn, head: lsn, xid: '12', at: '2026-11-20T00:00:00Z' }
  for (const [index, from] of [0, 2, 3, 7].entries()) {
    const part = changes.slice(from, [2, 3, 7][index])
    session.send({ type: 'part', ...piece, index, last: index === 3, changes: part })
  }
  session.send(batch(lsn, at(0x130), [{ lsn: at(0x130), xid: '13', changes: [update('task', 't', { place: '4' })] }]))
}

test.each([
  ['in a batch', sendBatch],
  ['in parts', sendParts],
])('MIG-03 MIG-R2 versions within a transaction are barriers at their places, %s, and seen as one', async (_, send) => {
  const { replica, session, downloads, warnings } = await opened()
  const edit = await replica.transaction((tx) =>
    tx.query(`INSERT INTO task (id, org, title) VALUES ('mine', 'a', 'mine')`),
  )
  edit.confirmed.catch(() => undefined)
  const seen: string[] = []
  await replica.db.live.query(`SELECT id, text, (SELECT count(*) FROM task) AS n FROM note`, [], ({ rows }) =>
    seen.push(JSON.stringify(rows[0])),
  )
  await announce(session)
  send(session)
  await replica.reached(at(0x130))
  expect(await rowsOf(replica, 'task', '*')).toEqual([
    { id: 'mine', org: 'a', place: null },
    { id: 't', org: 'a', place: 4 },
    { id: 'u', org: 'a', place: 3 },
  ])
  expect(await rowsOf(replica, 'label', '*')).toEqual([{ id: 't', org: 'a', title: 'before' }])
  expect(await rowsOf(replica, 'note', 'text')).toEqual([{ text: 'between' }])
  expect(seen.filter((row) => row.includes('"between"') && !row.includes('3'))).toEqual([])
  expect([warnings, downloads()]).toEqual([[], []])
  expect(replica.status.migrations).toMatchObject({ version: 4, applied: [2, 3, 4], waiting: [] })
})

test.each([
  ['in a batch', sendBatch],
  ['in parts', sendParts],
])('MIG-10 MIG-R5 a step that fails within a transaction costs its table alone, %s', async (_, send) => {
  const { server, replica, session, downloads, warnings } = await opened(true)
  server.snapshots.set('org:a', {
    start: at(0x130),
    fence: at(0x130),
    snapshot: '20:20:',
    rows: { 'public.task': [{ id: 't', org: 'a', place: '4' }], 'public.note': [], 'public.label': [] },
  })
  server.head = at(0x130)
  await announce(session)
  send(session)
  const again = await server.session(1)
  expect(again.hello).toMatchObject({ definitionVersion: 4, cursor: lsn })
  await again.frame('stream')
  again.send(batch(lsn, at(0x130)))
  await replica.reached(at(0x130))
  expect(await rowsOf(replica, 'task', 'id, place')).toEqual([{ id: 't', place: 4 }])
  expect(await rowsOf(replica, 'label', '*')).toEqual([{ id: 't', org: 'a', title: 'before' }])
  expect(await rowsOf(replica, 'note', 'text')).toEqual([{ text: 'between' }])
  expect(warnings.map(({ message }) => message)).toEqual([expect.stringContaining('Version 2')])
  expect(downloads().filter((path) => path.split('/').length > 4)).toHaveLength(1)
})
