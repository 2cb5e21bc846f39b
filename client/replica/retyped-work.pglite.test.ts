import { cp, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { Definition, Row, TableStep } from '../../protocol/index.ts'
import { column, defineTable } from '../../testing/replica/definitions.ts'
import { holdChunks } from '../../testing/replica/hold-chunks.ts'
import { at, batch, type SnapshotScript } from '../../testing/replica/scripted-server.ts'
import { closeAfterEach, serve, start } from '../../testing/replica/serve.ts'
import { statusThat } from '../../testing/replica/start-replica.ts'

closeAfterEach()

const org = column('org', 'text', { notNull: true })
const definitionOf = (columns: ReturnType<typeof column>[], since: number): Definition => ({
  types: [],
  tables: [defineTable('bill', [column('id'), org, ...columns], { write: 'all', since })],
})
const before = definitionOf([column('amount', 'integer'), column('size'), column('note')], 1)
const after = definitionOf([column('cents', 'bigint'), column('size', 'integer'), column('note')], 2)
const CENTS = { column: 'amount', from: 'integer', to: 'bigint', expression: '((amount * 100))::bigint' }
const NUMBERS = { column: 'size', from: 'text', to: 'integer', expression: '(size)::integer' }
const namesOf = (size: TableStep['columns'][number]['retyped']): TableStep => ({
  table: 'public.bill',
  from: 'public.bill',
  columns: [
    { name: 'id', from: 'id' },
    { name: 'org', from: 'org' },
    { name: 'cents', from: 'amount', retyped: [CENTS] },
    { name: 'size', from: 'size', retyped: size ?? null },
    { name: 'note', from: 'note' },
  ],
})
const snapshot = (position: number, rows: readonly Row[]): SnapshotScript => ({
  start: at(position),
  fence: at(position),
  snapshot: '10:10:',
  rows: { 'public.bill': rows },
})
const IDS = ['p', 'q', 'r', 's']

/** A replica with edits that were not sent, whose server gives two columns other types. */
async function withEdits(names: TableStep, storage?: string) {
  const rows = IDS.map((id) => ({ id, org: 'a', amount: '4', size: '9', note: 'n' }))
  const { server, url } = await serve(before, { 'org:a': snapshot(0x100, rows) })
  const replica = await start(url, { onWarning: () => undefined, ...(storage === undefined ? {} : { storage }) })
  await replica.ready
  await statusThat(replica, ({ phase }) => phase === 'live')
  replica.goOffline()
  await (await server.session(0)).closed()
  const write = (text: string) => replica.transaction((tx) => tx.query(text))
  await write(`UPDATE bill SET amount = 7 WHERE id = 'p'`)
  await write(`INSERT INTO bill VALUES ('w', 'a', 5, '3', 'new'), ('x', 'a', NULL, NULL, 'none')`)
  const lost = await write(`UPDATE bill SET size = 'large' WHERE id = 'q'`)
  lost.confirmed.catch(() => undefined)
  const sized = await write(`UPDATE bill SET size = '2', note = 'two' WHERE id = 'r'`)
  sized.confirmed.catch(() => undefined)
  await write(`UPDATE bill SET note = 'mine' WHERE id = 's'`)
  server.putInForce(after, at(0x110), [], [names])
  const loaded = IDS.map((id) => ({ id, org: 'a', cents: '400', size: '9', note: 'n' }))
  server.snapshots.set('org:a', snapshot(0x110, loaded))
  server.head = at(0x110)
  return { server, url, replica, lost, sized }
}

type Edited = Awaited<ReturnType<typeof withEdits>>

async function expectConverted({ server, replica, lost }: Pick<Edited, 'server' | 'replica' | 'lost'>): Promise<void> {
  await replica.reached(at(0x110))
  expect((await replica.db.query('SELECT id, cents, size, note FROM bill ORDER BY id')).rows).toEqual([
    { id: 'p', cents: 700, size: 9, note: 'n' },
    { id: 'q', cents: 400, size: 9, note: 'n' },
    { id: 'r', cents: 400, size: 2, note: 'two' },
    { id: 's', cents: 400, size: 9, note: 'mine' },
    { id: 'w', cents: 500, size: 3, note: 'new' },
    { id: 'x', cents: null, size: null, note: 'none' },
  ])
  await expect
    .poll(() => replica.failures)
    .toMatchObject([
      {
        id: lost.id,
        rejection: { kind: 'outdated-schema', table: 'public.bill', columns: ['size'] },
        rows: [{ local: { size: 'large' } }],
      },
    ])
  const { mutations } = await server.push(0)
  expect(mutations).toMatchObject([
    { version: 2, rows: [{ o: 'u', k: { id: 'p' }, d: { cents: '700' }, b: { cents: { v: '400' } } }] },
    {
      version: 2,
      rows: [
        { o: 'i', d: { id: 'w', cents: '500', size: '3' } },
        { o: 'i', d: { id: 'x', cents: null, size: null } },
      ],
    },
    { version: 2, rows: [{ o: 'u', d: { size: '2', note: 'two' } }] },
    { version: 2, rows: [{ o: 'u', d: { note: 'mine' } }] },
  ])
}

/** A storage of its own in which the database's folder can be lost, and had before, while its journal stays. */
async function newStorage() {
  const parent = await mkdtemp(join(tmpdir(), 'tidemark-'))
  const kept = await mkdtemp(join(tmpdir(), 'tidemark-'))
  for (const folder of [parent, kept]) onTestFinished(() => rm(folder, { recursive: true, force: true }))
  const folders = async () => (await readdir(parent, { withFileTypes: true })).filter((one) => one.isDirectory())
  const loseDatabase = async () => {
    for (const { name } of await folders()) await rm(join(parent, name), { recursive: true })
  }
  const keepDatabase = async () => {
    for (const { name } of await folders()) await cp(join(parent, name), join(kept, name), { recursive: true })
  }
  const setDatabaseBack = async () => {
    await loseDatabase()
    await cp(kept, parent, { recursive: true })
  }
  return { storage: join(parent, 'replica'), loseDatabase, keepDatabase, setDatabaseBack }
}

test('FLD-171 JRN-R20 what was written under a later version than a database that is set back has fails with its values', async () => {
  const { storage, keepDatabase, setDatabaseBack } = await newStorage()
  const { server, url } = await serve(before, {
    'org:a': snapshot(0x100, [{ id: 'p', org: 'a', amount: '4', size: '9', note: 'n' }]),
  })
  const options = { onWarning: () => undefined, storage }
  const first = await start(url, options)
  await first.ready
  await first.close()
  await keepDatabase()
  server.putInForce(after, at(0x110), [], [namesOf([NUMBERS])])
  server.snapshots.set('org:a', snapshot(0x110, [{ id: 'p', org: 'a', cents: '400', size: '9', note: 'n' }]))
  server.head = at(0x110)
  server.welcome = () => ({ reason: 'retention' })
  const later = await start(url, options)
  await later.reached(at(0x110))
  later.goOffline()
  await later.db.query(`UPDATE bill SET cents = 700 WHERE id = 'p'`)
  await later.close()
  await setDatabaseBack()
  const again = await start(url, options)
  const rejection = { kind: 'outdated-schema' }
  await expect.poll(() => again.failures).toMatchObject([{ rejection, rows: [{ local: { cents: '700' } }] }])
  await again.reached(at(0x110))
  expect(again.failures).toMatchObject([{ rejection, rows: [{ local: { cents: '700' } }] }])
  expect((await again.db.query('SELECT cents FROM bill')).rows).toEqual([{ cents: 400 }])
  expect(server.pushes).toEqual([])
})

test('FLD-170 JRN-R20 MIG-R10 work that only a journal kept goes on under the names and types of the version that is loaded', async () => {
  const { storage, loseDatabase } = await newStorage()
  const { server, url, replica, lost } = await withEdits(namesOf([NUMBERS]), storage)
  await replica.close()
  await loseDatabase()
  server.answerPush = () => null
  const again = await start(url, { onWarning: () => undefined, storage })
  await expectConverted({ server, replica: again, lost })
  const shown = await again.db.query('SELECT * FROM bill ORDER BY id')
  const { mutations } = await server.push(0)
  await again.close()
  await loseDatabase()
  // What left has the names of the version in which it left, and what failed those in which it did.
  const before = server.pushes.length
  const last = await start(url, { onWarning: () => undefined, storage })
  await last.reached(at(0x110))
  expect((await last.db.query('SELECT * FROM bill ORDER BY id')).rows).toEqual(shown.rows)
  await expect.poll(() => last.failures).toMatchObject([{ id: lost.id, rows: [{ local: { size: 'large' } }] }])
  expect((await server.push(before)).mutations).toEqual(mutations)
})

test('JRN-R30 work on a table that is being loaded goes on in its next names and types, where only a journal kept it', async () => {
  const { storage, loseDatabase } = await newStorage()
  const memo = defineTable('memo', [column('id'), org, column('text')], { write: 'all', since: 1 })
  const both = ({ types, tables }: Definition): Definition => ({ types, tables: [...tables, memo] })
  const rows = { 'public.memo': [{ id: 'm', org: 'a', text: 'old' }] }
  const loaded = (position: number, bill: Row) => {
    const { rows: bills, ...place } = snapshot(position, [{ id: 'p', org: 'a', size: '9', note: 'n', ...bill }])
    return { ...place, rows: { ...bills, ...rows } }
  }
  const { server, url } = await serve(both(before), { 'org:a': loaded(0x100, { amount: '4' }) })
  server.answerPush = () => 503
  const first = await start(url, { onWarning: () => undefined, storage })
  await first.ready
  await statusThat(first, ({ phase }) => phase === 'live')
  const session = await server.session(0)
  const begun = await session.frame('stream')
  server.putInForce(both(after), at(0x110), [], [namesOf([NUMBERS])])
  server.snapshots.set('org:a', loaded(0x110, { cents: '400' }))
  server.head = at(0x110)
  const release = holdChunks(server)
  session.send({ type: 'rehydrate', reason: 'definition' })
  await session.frame('stream', (frame) => frame !== begun)
  session.send(batch(at(0x100), at(0x110)))
  await statusThat(first, ({ migrations }) => migrations.waiting.includes('public.bill'))
  const mixed = await first.transaction(async (tx) => {
    await tx.query(`UPDATE bill SET amount = 7 WHERE id = 'p'`)
    await tx.query(`UPDATE memo SET text = 'mine'`)
  })
  mixed.confirmed.catch(() => undefined)
  const lost = await first.transaction((tx) => tx.query(`UPDATE bill SET size = 'large' WHERE id = 'p'`))
  lost.confirmed.catch(() => undefined)
  await first.close()
  release()
  await loseDatabase()
  server.answerPush = () => null
  const pushed = server.pushes.length
  const again = await start(url, { onWarning: () => undefined, storage })
  await again.reached(at(0x110))
  expect((await again.db.query('SELECT cents, size FROM bill')).rows).toEqual([{ cents: 700, size: 9 }])
  expect((await again.db.query('SELECT text FROM memo')).rows).toEqual([{ text: 'mine' }])
  await expect.poll(() => again.failures).toMatchObject([{ id: lost.id, rows: [{ local: { size: 'large' } }] }])
  expect((await server.push(pushed)).mutations).toMatchObject([
    {
      version: 2,
      rows: [
        { t: 'public.bill', d: { cents: '700' } },
        { t: 'public.memo', d: { text: 'mine' } },
      ],
    },
  ])
})

test('MIG-R10 an edit of a column that has another type since is not taken back', async () => {
  const { server, replica } = await withEdits(namesOf([NUMBERS]))
  await replica.transaction((tx) => tx.query(`UPDATE bill SET size = '8' WHERE id = 'r'`))
  await statusThat(replica, ({ canUndo }) => canUndo)
  server.welcome = () => ({ reason: 'retention' })
  replica.goOnline()
  await replica.reached(at(0x110))
  expect(await replica.undo()).toBeNull()
  expect((await replica.db.query(`SELECT size FROM bill WHERE id = 'r'`)).rows).toEqual([{ size: 8 }])
})

describe('work on a table whose columns got other types', () => {
  test('FLD-140 FLD-141 MIG-R10 goes on with the values of the new types, where the table is loaded beside', async () => {
    const edited = await withEdits(namesOf([NUMBERS]))
    edited.replica.goOnline()
    const session = await edited.server.session(1)
    await session.frame('stream')
    session.send(batch(at(0x100), at(0x110)))
    await expectConverted(edited)
  })

  test('FLD-140 FLD-141 MIG-R10 goes on with them where everything is loaded', async () => {
    const edited = await withEdits(namesOf([NUMBERS]))
    edited.server.welcome = () => ({ reason: 'retention' })
    edited.replica.goOnline()
    await expectConverted(edited)
  })

  test('FLD-141 MIG-R10 fails with its data where nobody knows how values became others', async () => {
    const { server, replica, lost, sized } = await withEdits(namesOf(null))
    replica.goOnline()
    const session = await server.session(1)
    await session.frame('stream')
    session.send(batch(at(0x100), at(0x110)))
    await replica.reached(at(0x110))
    await expect.poll(() => replica.failures.map(({ id }) => id)).toContain(sized.id)
    expect(replica.failures.map(({ id }) => id)).toContain(lost.id)
    expect(
      (await replica.db.query(`SELECT cents, size, note FROM bill WHERE id IN ('p', 'q', 'r') ORDER BY id`)).rows,
    ).toEqual([
      { cents: 700, size: 9, note: 'n' },
      { cents: 400, size: 9, note: 'n' },
      { cents: 400, size: 9, note: 'n' },
    ])
  })
})
