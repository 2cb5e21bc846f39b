import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import {
  everythingShown,
  type LiveDatabase,
  openLiveDatabase,
  runsOf,
  shown,
} from '../../testing/live/live-database.ts'
import type { HeldResult, LiveConnection, LiveMessage } from './live-messages.ts'
import type { SqlQuery } from './live-rows.ts'

const TASKS = 'SELECT id, title FROM task ORDER BY id'
/** Another text than that of stores, which linger. */
const CLIENTS = 'SELECT id, title FROM task ORDER BY 1'
const ONE = 'SELECT title FROM task WHERE id = $1'

let live: LiveDatabase
let ends: (() => void)[] = []

beforeAll(async () => {
  live = await openLiveDatabase()
  await live.db.exec(
    `CREATE TABLE task (id int PRIMARY KEY, title text); CREATE TABLE other (id int PRIMARY KEY, note text)`,
  )
})
afterEach(async () => {
  for (const end of ends) end()
  ends = []
  await live.db.exec(`SET session_replication_role = origin; DELETE FROM task; DELETE FROM other`)
})
afterAll(async () => {
  await live.stop()
  await live.db.close()
})

/** Opens a query and waits for its first rows. */
async function watch(query: string | SqlQuery) {
  const store = live.live(query)
  ends.push(store.subscribe(() => undefined))
  await shown(store)
  return store
}

const described = (text: string) => live.engine.describe().find((one) => one.text === text)

describe('live queries', () => {
  test('LIV-R1 TAB-09 a query runs once for a transaction, however many statements touched what it reads', async () => {
    const store = await watch(TASKS)
    const before = runsOf(live, TASKS)
    await live.db.transaction(async (tx) => {
      for (let id = 1; id <= 20; id++) await tx.query('INSERT INTO task VALUES ($1, $2)', [id, `title ${id}`])
      await tx.exec(`UPDATE task SET title = 'new'; DELETE FROM task WHERE id > 10`)
    })
    await shown(store, (rows) => rows.length === 10)
    await everythingShown(live)
    expect(runsOf(live, TASKS)).toBe(before + 1)
    await live.db.exec(`INSERT INTO other VALUES (1, 'of another table')`)
    await live.db.transaction(async (tx) => {
      await tx.exec('DELETE FROM task')
      await tx.rollback()
    })
    await everythingShown(live)
    expect(runsOf(live, TASKS)).toBe(before + 1)
  })

  test('LIV-R1 commits that come while a query runs make it run once more, and the last is shown', async () => {
    const store = await watch(TASKS)
    const before = runsOf(live, TASKS)
    await Promise.all(Array.from({ length: 30 }, (_, id) => live.db.query('INSERT INTO task VALUES ($1)', [id])))
    await shown(store, (rows) => rows.length === 30)
    await everythingShown(live)
    expect(runsOf(live, TASKS) - before).toBeLessThanOrEqual(30)
    expect(store.getSnapshot().rows).toHaveLength(30)
  })

  test('LIV-R3 of queries by key only those run whose row was touched, by what it was and by what it is', async () => {
    await live.db.exec(`INSERT INTO task SELECT n, 'title ' || n FROM generate_series(1, 50) n`)
    const stores = await Promise.all(Array.from({ length: 50 }, (_, id) => watch({ sql: ONE, params: [id + 1] })))
    const runs = () =>
      live.engine
        .describe()
        .filter(({ text }) => text === ONE)
        .map((one) => one.runs)
    expect(described(ONE)).toMatchObject({ keys: ['id'], tables: ['public.task'], runsAlways: false })
    const before = runs()
    await live.db.exec(`UPDATE task SET title = 'new' WHERE id = 7`)
    await everythingShown(live)
    expect(stores[6]?.getSnapshot().rows).toEqual([{ title: 'new' }])
    expect(runs()).toEqual(before.map((count, index) => (index === 6 ? count + 1 : count)))
    await live.db.exec(`UPDATE task SET id = 107 WHERE id = 7; UPDATE task SET id = 7 WHERE id = 8`)
    await everythingShown(live)
    expect(stores[6]?.getSnapshot().rows).toEqual([{ title: 'title 8' }])
    expect(stores[7]?.getSnapshot().rows).toEqual([])
    expect(stores[8]?.getSnapshot().runs).toBe(1)
  })

  test('LIV-R3 more rows than a notice holds are any row', async () => {
    const store = await watch({ sql: ONE, params: [900] })
    await live.db.exec('INSERT INTO task SELECT n FROM generate_series(1, 1000) n')
    await shown(store, (rows) => rows.length === 1)
  })

  test('LIV-R4 a query that may change by itself runs at each commit, and at no call that wrote nothing', async () => {
    const text = `SELECT current_setting('tidemark.sample', true) AS sample, now() AS at`
    const store = await watch(text)
    expect(described(text)).toMatchObject({ runsAlways: true })
    await live.db.query('INSERT INTO other VALUES (5)')
    await everythingShown(live)
    const before = store.getSnapshot()
    await live.db.query('SELECT * FROM other')
    await everythingShown(live)
    expect(store.getSnapshot()).toBe(before)
    await live.db.query('UPDATE other SET note = $1', ['x'])
    await everythingShown(live)
    expect(store.getSnapshot().rows).not.toEqual(before.rows)
  })

  test('LIV-R4 what does not read only is refused', async () => {
    for (const text of [
      'DELETE FROM task RETURNING id',
      'WITH gone AS (DELETE FROM task RETURNING id) SELECT * FROM gone',
      'SELECT 1; SELECT 2',
    ]) {
      await expect(live.db.live.query(text), text).rejects.toThrow()
    }
    await expect(live.db.live.query('DELETE FROM task RETURNING id')).rejects.toMatchObject({ kind: 'bad-input' })
  })

  test('LIV-R5 TRUNCATE, cascades, COPY and what is applied as the server’s are noticed', async () => {
    await live.db.exec('CREATE TABLE child (id int PRIMARY KEY, task int REFERENCES task ON DELETE CASCADE)')
    const tasks = await watch(TASKS)
    const children = await watch('SELECT id FROM child ORDER BY id')
    await live.db.query(`COPY task FROM '/dev/blob'`, [], { blob: new Blob(['1\tone\n2\ttwo\n']) })
    await shown(tasks, (rows) => rows.length === 2)
    await live.db.exec('INSERT INTO child VALUES (1, 1), (2, 2)')
    await shown(children, (rows) => rows.length === 2)
    await live.db.exec('DELETE FROM task WHERE id = 1')
    await shown(children, (rows) => rows.length === 1)
    await live.db.transaction(async (tx) => {
      await tx.exec(`SET LOCAL session_replication_role = replica; UPDATE task SET title = 'of the server'`)
    })
    await shown(tasks, (rows) => rows[0]?.title === 'of the server')
    await live.db.exec('TRUNCATE child')
    await shown(children, (rows) => rows.length === 0)
    await live.db.exec('DROP TABLE child')
  })

  test('LIV-R8 nothing holds the tables, which may be altered; a query that no longer fits ends with schema-drift', async () => {
    await live.db.exec('CREATE TABLE loose (id int, title text); CREATE VIEW loose_titles AS SELECT title FROM loose')
    const all = await watch('SELECT * FROM loose')
    const titles = await watch('SELECT title FROM loose')
    const made = await live.db.live.query('SELECT title FROM loose_titles')
    await live.db.exec(
      `DROP VIEW loose_titles; ALTER TABLE loose ALTER title TYPE varchar(9), ADD more int DEFAULT 3; INSERT INTO loose VALUES (1, 'one')`,
    )
    await shown(all, ([row]) => row?.more === 3)
    await expect(made.refresh()).rejects.toMatchObject({ kind: 'schema-drift' })
    expect(() => made.subscribe(() => undefined)).toThrow(/no longer fits/)
    expect(live.warnings).toContainEqual(expect.stringContaining('SELECT title FROM loose_titles'))
    await live.db.exec('ALTER TABLE loose DROP title')
    await everythingShown(live)
    expect(titles.getSnapshot().error).toMatchObject({ kind: 'schema-drift' })
    expect(all.getSnapshot().rows).toEqual([{ id: 1, more: 3 }])
    await live.db.exec('DROP TABLE loose; CREATE TABLE loose (id int); INSERT INTO loose VALUES (2)')
    await everythingShown(live)
    expect(all.getSnapshot().error).toBeNull()
    expect(all.getSnapshot().rows).toEqual([{ id: 2 }])
    await live.db.exec('DROP TABLE loose')
  })

  test('LIV-R8 an error of a run is shown beside the rows, and goes with the next run that goes well', async () => {
    const text = 'SELECT 10 / (id - 5) AS part FROM task ORDER BY id'
    const store = await watch(text)
    await live.db.exec('INSERT INTO task VALUES (5)')
    await everythingShown(live)
    expect(store.getSnapshot()).toMatchObject({ rows: [], error: { code: '22012' } })
    await live.db.exec('UPDATE task SET id = 6')
    await everythingShown(live)
    expect(store.getSnapshot()).toMatchObject({ rows: [{ part: 10 }], error: null })
  })
})

describe('clients of the engine', () => {
  function connect() {
    const messages: LiveMessage[] = []
    const connection: LiveConnection = live.engine.connect((message) => messages.push(message))
    const results = () => messages.flatMap((one) => (one.type === 'result' ? [one] : []))
    ends.push(() => connection.closeClient())
    return { connection, messages, results }
  }

  test('LIV-R6 equal queries of all clients run once, and a client’s queries end together', async () => {
    const [one, two] = [connect(), connect()]
    one.connection.open(1, { text: CLIENTS, params: [] })
    two.connection.open(1, { text: CLIENTS, params: [] })
    await expect.poll(() => one.results().length + two.results().length).toBe(2)
    expect(described(CLIENTS)).toMatchObject({ clients: 2, runs: 1 })
    one.connection.closeClient()
    expect(described(CLIENTS)).toMatchObject({ clients: 1 })
    two.connection.closeClient()
    expect(described(CLIENTS)).toBeUndefined()
  })

  test('LIV-R6 results are text and differences; until one is acknowledged no other is sent and nothing runs', async () => {
    await live.db.exec(`INSERT INTO task VALUES (1, 'one'), (2, NULL)`)
    const { connection, results } = connect()
    connection.open(7, { text: CLIENTS, params: [] })
    await expect.poll(results).toHaveLength(1)
    expect(results()[0]).toMatchObject({ query: 7, fields: [{ name: 'id', dataTypeID: 23 }, { name: 'title' }] })
    expect(results()[0]?.parts).toEqual([
      {
        rows: [
          ['1', 'one'],
          ['2', null],
        ],
      },
    ])
    const runs = runsOf(live, CLIENTS)
    await live.db.exec(`INSERT INTO task VALUES (3, 'three')`)
    await live.db.exec(`UPDATE task SET title = 'zwei' WHERE id = 2`)
    await everythingShown(live)
    expect(results()).toHaveLength(1)
    expect(runsOf(live, CLIENTS)).toBe(runs)
    connection.acknowledge(7)
    await expect.poll(results).toHaveLength(2)
    expect(results()[1]).toMatchObject({
      fields: null,
      parts: [
        { from: 0, count: 1 },
        {
          rows: [
            ['2', 'zwei'],
            ['3', 'three'],
          ],
        },
      ],
    })
  })

  test('LIV-R6 a client that opens anew what it holds gets one difference to that', async () => {
    await live.db.exec(`INSERT INTO task VALUES (1, 'one'), (2, 'two')`)
    const first = connect()
    first.connection.open(1, { text: CLIENTS, params: [] })
    await expect.poll(first.results).toHaveLength(1)
    const held: HeldResult = {
      fields: first.results()[0]?.fields ?? [],
      rows: [
        ['1', 'one'],
        ['2', 'two'],
      ],
    }
    const same = connect()
    same.connection.open(1, { text: CLIENTS, params: [] }, held)
    same.connection.refresh(1, 1)
    await expect.poll(() => same.messages).toEqual([{ type: 'refreshed', query: 1, refresh: 1 }])
    await live.db.exec('DELETE FROM task WHERE id = 1')
    const later = connect()
    later.connection.open(1, { text: CLIENTS, params: [] }, held)
    later.connection.refresh(1, 1)
    await expect.poll(later.results).toHaveLength(1)
    expect(later.results()[0]).toMatchObject({ fields: null, parts: [{ from: 1, count: 1 }] })
  })
})
