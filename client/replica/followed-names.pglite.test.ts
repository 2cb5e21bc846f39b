import { describe, expect, test } from 'vitest'
import type { Definition, Row, TableStep } from '../../protocol/index.ts'
import { column, defineTable } from '../../testing/replica/definitions.ts'
import { holdChunks } from '../../testing/replica/hold-chunks.ts'
import { at, batch, type SnapshotScript } from '../../testing/replica/scripted-server.ts'
import { closeAfterEach, serve, start } from '../../testing/replica/serve.ts'
import { statusThat } from '../../testing/replica/start-replica.ts'

closeAfterEach()

const org = column('org', 'text', { notNull: true })
const task = defineTable('task', [column('id'), org, column('title'), column('rank', 'integer')], {
  write: 'all',
  since: 1,
})
/** Renamed with two of its columns, without `rank`, and to be loaded. */
const issue = defineTable('issue', [column('key'), org, column('name', 'character varying(90)')], {
  write: 'all',
  since: 2,
})
const NAMES: TableStep = {
  table: issue.id,
  from: task.id,
  columns: [
    { name: 'key', from: 'id' },
    { name: 'org', from: 'org' },
    { name: 'name', from: 'title' },
  ],
}
/** The last version renames a column once more, in place. */
const last = { ...issue, columns: [column('key'), org, column('label', 'character varying(90)')], since: 3 }
const AGAIN: TableStep = {
  table: issue.id,
  from: issue.id,
  columns: [
    { name: 'key', from: 'key' },
    { name: 'org', from: 'org' },
    { name: 'label', from: 'name' },
  ],
}
const definitionOf = (table: typeof task): Definition => ({ types: [], tables: [table] })
const snapshot = (position: number, rows: Readonly<Record<string, readonly Row[]>>): SnapshotScript => ({
  start: at(position),
  fence: at(position),
  snapshot: '10:10:',
  rows,
})

/** A replica with three edits that were not sent, whose server goes two versions on, past which the table is loaded. */
async function behindWithEdits() {
  const rows = ['t', 'u'].map((id) => ({ id, org: 'a', title: `title ${id}`, rank: '1' }))
  const { server, url } = await serve(definitionOf(task), { 'org:a': snapshot(0x100, { 'public.task': rows }) })
  const replica = await start(url, { onWarning: () => undefined })
  await replica.ready
  await statusThat(replica, ({ phase }) => phase === 'live')
  replica.goOffline()
  await (await server.session(0)).closed()
  const write = (text: string) => replica.transaction((tx) => tx.query(text))
  await write(`UPDATE task SET title = 'mine', rank = 2 WHERE id = 't'`)
  const lost = await write(`UPDATE task SET rank = 3 WHERE id = 'u'`)
  const failed = lost.confirmed.catch((error: unknown) => error)
  await write(`INSERT INTO task VALUES ('w', 'a', 'made', 4)`)
  server.putInForce(definitionOf(issue), at(0x110), [], [NAMES])
  server.putInForce(definitionOf(last), at(0x120), [AGAIN])
  const loaded = ['t', 'u'].map((key) => ({ key, org: 'a', label: `loaded ${key}` }))
  server.snapshots.set('org:a', snapshot(0x120, { 'public.issue': loaded }))
  server.head = at(0x120)
  return { server, replica, write, lost, failed }
}

type Behind = Awaited<ReturnType<typeof behindWithEdits>>

async function expectFollowed({ server, replica, lost, failed }: Behind, title: string): Promise<void> {
  await replica.reached(at(0x120))
  expect((await replica.db.query('SELECT * FROM issue ORDER BY key')).rows).toEqual([
    { key: 't', org: 'a', label: title },
    { key: 'u', org: 'a', label: 'loaded u' },
    { key: 'w', org: 'a', label: 'made' },
  ])
  expect(await failed).toMatchObject({ rejection: { kind: 'outdated-schema' } })
  await expect.poll(() => replica.failures).toMatchObject([{ id: lost.id, rows: [{ local: { rank: '3' } }] }])
  const { mutations } = await server.push(0)
  expect(mutations).toMatchObject([
    {
      version: 3,
      rows: [{ o: 'u', t: 'public.issue', k: { key: 't' }, d: { label: title }, b: { label: { v: 'title t' } } }],
    },
    { version: 3, rows: [{ o: 'i', t: 'public.issue', d: { key: 'w', org: 'a', label: 'made' } }] },
  ])
}

describe('work on tables that are loaded for a later version', () => {
  test('MIG-02 MIG-R4 goes on under the names of the version, where the table is loaded beside', async () => {
    const behind = await behindWithEdits()
    const { server, replica, write } = behind
    const release = holdChunks(server)
    replica.goOnline()
    const session = await server.session(1)
    await session.frame('stream')
    session.send(batch(at(0x100), at(0x120)))
    await statusThat(replica, ({ lsn }) => lsn === at(0x120))
    // Until it is loaded it is shown as it was, and can be written.
    await write(`UPDATE task SET title = 'later' WHERE id = 't'`)
    expect((await replica.db.query('SELECT id, title FROM task ORDER BY id')).rows).toEqual([
      { id: 't', title: 'later' },
      { id: 'u', title: 'title u' },
      { id: 'w', title: 'made' },
    ])
    release()
    await expectFollowed(behind, 'later')
  })

  test('MIG-11 MIG-R4 goes on under them where everything is loaded, because the log is gone', async () => {
    const behind = await behindWithEdits()
    const { server, replica } = behind
    server.welcome = () => ({ reason: 'retention' })
    replica.goOnline()
    await expectFollowed(behind, 'mine')
  })
})
