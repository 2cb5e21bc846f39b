import { integer, pgTable, text, varchar } from 'drizzle-orm/pg-core'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { applyDefinition, defineSync, readStart, type Sync, table } from '../../db/index.ts'
import { type CaptureHarness, startCapture } from '../../testing/capture/capture-harness.ts'
import { Follower } from '../../testing/capture/follower.ts'
import { servers } from '../../testing/postgres/servers.ts'
import { adoptDrift } from './adopt-drift.ts'

const item = (columns: Record<string, unknown> = {}) =>
  pgTable('item', { id: integer('id').primaryKey(), ...(columns as { label: ReturnType<typeof text> }) })
const other = pgTable('other', { id: integer('id').primaryKey(), note: text('note') })
const syncOf = (columns: Record<string, unknown>, more: Parameters<typeof defineSync>[0]['tables'] = {}) =>
  defineSync({
    tables: { item: table(item(columns), { audience: 'all' }), other: table(other, { audience: 'all' }), ...more },
  })
const FIRST = { label: varchar('label'), a: text('a'), b: text('b'), n: integer('n').notNull(), m: text('m') }
const SCHEMA = `
  CREATE TYPE mood AS ENUM ('low', 'high');
  CREATE TABLE item (id int PRIMARY KEY, label varchar(10), a text, b text, n int NOT NULL, m mood);
  CREATE TABLE other (id int PRIMARY KEY, note text)
`

describe.each([
  { decoder: 'wal2json', server: 'system' },
  { decoder: 'pgoutput', server: 'embedded' },
] as const)('what others altered, by $decoder', ({ decoder, server }) => {
  let harness: CaptureHarness
  let follower: Follower

  beforeEach(async () => {
    harness = await startCapture(servers()[server], decoder, SCHEMA, syncOf(FIRST))
    follower = new Follower(harness)
    await harness.run(
      `INSERT INTO item SELECT i, 'label', 'a' || i, 'b' || i, i, 'low' FROM generate_series(1, 3) i;\nINSERT INTO other VALUES (1, 'x')`,
    )
    expect((await follower.catchUp()).wrong).toEqual([])
  })
  afterEach(() => harness.close())

  /** Puts a definition in force as `tidemark migrate` does. */
  const migrate = (sync: Sync, ...statements: string[]) =>
    harness.connection.transaction(async ({ query }) => {
      const start = await readStart(query)
      for (const statement of statements) await query(statement)
      return await applyDefinition(query, sync, { start })
    })
  const drainToHalt = () => expect(harness.drain()).rejects.toMatchObject({ kind: 'schema-drift' })
  const expectReplayed = async () => expect(await follower.catchUp()).toEqual({ loaded: [], wrong: [] })
  const expectLoaded = async (...tables: string[]) =>
    expect(await follower.catchUp()).toEqual({ loaded: tables, wrong: [] })
  const write = (id: number, columns: string, values: string) =>
    harness.run(
      `INSERT INTO item (id, ${columns}) VALUES (${id}, ${values});\nUPDATE item SET n = n + 1 WHERE id = ${id};\nUPDATE item SET n = n * 2 WHERE id = 1;\nINSERT INTO other VALUES (${id}, 'beside')`,
    )

  const renamed = syncOf({ ...FIRST, label: varchar('title') })
  const { b: _, ...withoutB } = FIRST
  const changes: [title: string, alter: string, sync: Sync, columns: string, values: string][] = [
    ['a column that is renamed', 'ALTER TABLE item RENAME label TO title', renamed, 'title, n', `'new', 7`],
    ['a column that is dropped', 'ALTER TABLE item DROP COLUMN b', syncOf(withoutB), 'a, n', `'new', 7`],
    [
      'a varchar that is widened',
      'ALTER TABLE item ALTER label TYPE varchar(40)',
      syncOf(FIRST),
      'label, n',
      `'longer than ten letters', 7`,
    ],
    [
      'a column that may be NULL',
      'ALTER TABLE item ALTER n DROP NOT NULL',
      syncOf({ ...FIRST, n: integer('n') }),
      'a',
      `'x'`,
    ],
    ['labels', `ALTER TYPE mood ADD VALUE 'mid' BEFORE 'high'`, syncOf(FIRST), 'm, n', `'mid', 7`],
    [
      'names that are exchanged',
      'ALTER TABLE item RENAME a TO t;\nALTER TABLE item RENAME b TO a;\nALTER TABLE item RENAME t TO b',
      syncOf(FIRST),
      'a, b, n',
      `'A', 'B', 7`,
    ],
    [
      'a column added beside a rename',
      `ALTER TABLE item RENAME label TO title, ADD COLUMN more text DEFAULT 'given'`.replace(
        ', ADD',
        ';\nALTER TABLE item ADD',
      ),
      syncOf({ ...FIRST, label: varchar('title'), more: text('more') }),
      'title, more, n',
      `'new', 'own', 7`,
    ],
    [
      'a column dropped for one of another length under its name',
      'ALTER TABLE item DROP COLUMN n, ADD COLUMN n text',
      syncOf({ ...FIRST, n: text('n') }),
      'n',
      `'seven'`,
    ],
  ]
  test.each(changes)(
    'MIG-20 SCH-R12 CAP-R52 %s downloads nothing, wherever rows were written',
    async (_title, alter, sync, columns, values) => {
      const changed = columns === 'n' ? '' : 'UPDATE item SET n = n * 2 WHERE id = 1;\n'
      const rows = (id: number) =>
        harness.run(
          `INSERT INTO item (id, ${columns}) VALUES (${id}, ${values}), (-${id}, ${values});\n${changed}DELETE FROM item WHERE id = -${id};\nINSERT INTO other VALUES (${id}, 'beside')`,
        )
      // Capture is stopped before, meanwhile and after.
      await write(8, 'label, n', `'before', 8`)
      await harness.run(alter)
      await rows(9)
      await migrate(sync)
      await rows(10)
      harness.restart()
      await expectReplayed()
      await rows(11)
      await expectReplayed()
    },
  )

  test('MIG-20 SCH-R12 CAP-R52 where capture halted, whoever adopts, with rows since or without', async () => {
    await harness.run(`ALTER TABLE item RENAME label TO title;\nINSERT INTO other VALUES (9, 'beside')`)
    await drainToHalt()
    await migrate(renamed)
    await expectReplayed()
    await harness.run('ALTER TABLE item RENAME title TO heading')
    await write(10, 'heading, n', `'after', 9`)
    await drainToHalt()
    await adoptDrift(harness.connection, [{ table: 'public.item', kind: 'shape', what: 'was altered' }])
    await expectReplayed()
    const columns = harness.capture.state?.definition.definition.tables.find(({ id }) => id === 'public.item')?.columns
    expect(columns?.map(({ name }) => name)).toContain('heading')
    expect((await harness.history()).filter(({ operation }) => operation === 'definition')).toHaveLength(2)
    expect(harness.memory.distrusted).toEqual([])
  })

  test('MIG-20 SCH-R11 a column that others added and nobody filled is shown for nothing, one that somebody filled is loaded', async () => {
    for (const filled of [false, true]) {
      const name = filled ? 'filled' : 'more'
      await harness.run(`ALTER TABLE item ADD COLUMN ${name} text DEFAULT 'given'`)
      await write(filled ? 10 : 9, 'label, n', `'after', 9`)
      await expectReplayed()
      if (filled) await harness.run(`UPDATE item SET filled = 'else' WHERE id = 1`)
      await migrate(syncOf({ ...FIRST, more: text('more'), ...(filled ? { filled: text('filled') } : {}) }))
      await write(filled ? 12 : 11, `label, n, ${name}`, `'after', 9, 'own'`)
      await (filled ? expectLoaded('public.item') : expectReplayed())
    }
  })

  test('MIG-20 CAP-R52 a transaction that alters a table and then writes it comes after the version', async () => {
    await harness.run(
      `BEGIN;\nINSERT INTO other VALUES (7, 'x');\nALTER TABLE item RENAME label TO title;\nINSERT INTO item (id, title, n) VALUES (9, 'new', 9);\nCOMMIT`,
    )
    await migrate(renamed)
    await expectReplayed()
  })

  test('MIG-21 CAP-R52 a table is loaded where one transaction has rows of both shapes', async () => {
    await harness.run(
      `BEGIN;\nINSERT INTO item (id, label, n) VALUES (8, 'old', 8);\nALTER TABLE item RENAME label TO title;\nINSERT INTO item (id, title, n) VALUES (9, 'new', 9);\nALTER TABLE item RENAME title TO label;\nUPDATE item SET n = 5;\nALTER TABLE item RENAME label TO title;\nCOMMIT`,
    )
    await migrate(renamed)
    await expectLoaded('public.item')
  })

  test('MIG-21 CAP-R52 a table is loaded where rows of a shape in between were written', async () => {
    await harness.run('ALTER TABLE item RENAME label TO between')
    await write(9, 'between, n', `'x', 9`)
    await harness.run('ALTER TABLE item RENAME between TO title')
    await write(10, 'title, n', `'x', 9`)
    await migrate(renamed)
    await expectLoaded('public.item')
    await write(11, 'title, n', `'x', 9`)
    await expectReplayed()
  })

  test.each([
    ['a rewrite', 'ALTER TABLE item ALTER n TYPE bigint', syncOf(FIRST)],
    [
      'a column dropped and added anew',
      'ALTER TABLE item DROP COLUMN a;\nALTER TABLE item ADD COLUMN a text',
      syncOf(FIRST),
    ],
    [
      'a column that came and went under the name of a later one',
      'ALTER TABLE item RENAME label TO title;\nALTER TABLE item ADD COLUMN more text;\nUPDATE item SET more = id::text;\nALTER TABLE item DROP COLUMN more;\nALTER TABLE item ADD COLUMN more text',
      syncOf({ ...FIRST, label: varchar('title'), more: text('more') }),
    ],
    ['a new name of a label', `ALTER TYPE mood RENAME VALUE 'low' TO 'none'`, syncOf(FIRST)],
    ['TRUNCATE', 'ALTER TABLE item RENAME label TO title;\nTRUNCATE item', renamed],
    [
      'NULL under the old names',
      `ALTER TABLE item ALTER n DROP NOT NULL;\nINSERT INTO item (id) VALUES (20);\nALTER TABLE item RENAME label TO title`,
      syncOf({ ...FIRST, label: varchar('title'), n: integer('n') }),
    ],
    [
      'NULL that nothing shows',
      `ALTER TABLE item ALTER n DROP NOT NULL;\nINSERT INTO item (id) VALUES (20);\nDELETE FROM item WHERE id = 20;\nALTER TABLE item ALTER n SET NOT NULL;\nALTER TABLE item RENAME label TO title`,
      renamed,
    ],
  ])('MIG-21 SCH-R12 CAP-R52 %s has the table loaded', async (_title, alter, sync) => {
    await harness.run(alter)
    await harness.run(`UPDATE item SET b = b || '.';\nINSERT INTO other VALUES (9, 'x')`)
    await migrate(sync)
    for (let loaded: readonly string[] = []; loaded.length === 0; ) {
      const caughtUp = await follower.catchUp().catch(() => null)
      loaded = caughtUp?.loaded ?? []
      if (caughtUp) expect(caughtUp).toEqual({ loaded: ['public.item'], wrong: [] })
    }
    await harness.run(`UPDATE item SET b = b || '.'`)
    await expectReplayed()
  })

  test('MIG-21 CAP-R52 two tables without a common place: nothing is loaded that nobody wrote since', async () => {
    await harness.run('ALTER TABLE item RENAME label TO title')
    await write(9, 'title, n', `'x', 9`)
    await harness.run('ALTER TABLE other RENAME note TO said')
    const said = pgTable('other', { id: integer('id').primaryKey(), said: text('said') })
    await migrate(
      defineSync({
        tables: {
          item: table(item({ ...FIRST, label: varchar('title') }), { audience: 'all' }),
          other: table(said, { audience: 'all' }),
        },
      }),
    )
    await expectLoaded('public.item')
  })

  test('MIG-20 CAP-R52 a version that changes more keeps its place, and replays what nobody wrote since', async () => {
    await harness.run(
      `ALTER TABLE item RENAME label TO title;\nCREATE TABLE third (id int PRIMARY KEY);\nINSERT INTO third VALUES (1)`,
    )
    const third = pgTable('third', { id: integer('id').primaryKey() })
    await migrate(syncOf({ ...FIRST, label: varchar('title') }, { third: table(third, { audience: 'all' }) }))
    await write(9, 'title, n', `'x', 9`)
    await expectLoaded('public.third')
  })

  test('MIG-21 CAP-R52 what comes after a version that is still waiting is loaded', async () => {
    await harness.run('ALTER TABLE item RENAME label TO title')
    await write(9, 'title, n', `'x', 9`)
    await migrate(renamed)
    await harness.run('ALTER TABLE item RENAME title TO heading')
    await write(10, 'heading, n', `'x', 9`)
    await migrate(syncOf({ ...FIRST, label: varchar('heading') }))
    await write(11, 'heading, n', `'x', 9`)
    await expectLoaded('public.item')
    await write(12, 'heading, n', `'x', 9`)
    await expectReplayed()
  })

  test('MIG-20 CAP-R52 an ALTER that was rolled back changes nothing', async () => {
    await harness.run(
      `BEGIN;\nALTER TABLE item RENAME label TO title;\nINSERT INTO item (id, title, n) VALUES (9, 'x', 9);\nROLLBACK`,
    )
    await write(9, 'label, n', `'x', 9`)
    expect(await migrate(syncOf(FIRST))).toMatchObject({ changed: false })
    await expectReplayed()
  })

  test('MIG-20 CAP-R52 the place before the first row holds whoever stops capture, wherever', async () => {
    await write(8, 'label, n', `'x', 9`)
    await harness.run('ALTER TABLE item RENAME label TO title')
    await write(9, 'title, n', `'x', 9`)
    await migrate(renamed)
    for (;;) {
      // Each cycle is another object's, whose storage was wiped or not.
      harness.restart({})
      const { more } = await harness.cycle()
      if (!more) break
    }
    const told = (await harness.history()).filter(({ table }) => table !== 'public.other')
    const place = told.findIndex(({ operation }) => operation === 'definition')
    const names = (some: typeof told) => new Set(some.flatMap(({ data }) => Object.keys(data ?? {})))
    expect(names(told.slice(0, place)).has('title')).toBe(false)
    expect(names(told.slice(place + 1)).has('label')).toBe(false)
    expect(names(told.slice(place + 1)).has('title')).toBe(true)
    await expectReplayed()
  })
})

test('MIG-20 SCH-R12 CAP-R52 the leaves of a partitioned table are replayed with it', async () => {
  const event = (columns: object) => pgTable('event', { id: integer('id').primaryKey(), ...columns })
  const syncWith = (columns: object) => defineSync({ tables: { event: table(event(columns), { audience: 'all' }) } })
  const harness = await startCapture(
    servers().embedded,
    'pgoutput',
    `CREATE TABLE event (id int PRIMARY KEY, note varchar(5), gone text) PARTITION BY HASH (id);
     CREATE TABLE event_0 PARTITION OF event FOR VALUES WITH (MODULUS 2, REMAINDER 0);
     CREATE TABLE event_1 (gone text, id int NOT NULL, note varchar(5));
     ALTER TABLE event ATTACH PARTITION event_1 FOR VALUES WITH (MODULUS 2, REMAINDER 1)`,
    syncWith({ note: varchar('note'), gone: text('gone') }),
  )
  try {
    const follower = new Follower(harness)
    await harness.run(`INSERT INTO event SELECT i, 'old', 'x' FROM generate_series(1, 9) i`)
    expect((await follower.catchUp()).wrong).toEqual([])
    await harness.run(`INSERT INTO event SELECT i, 'old', 'x' FROM generate_series(10, 19) i`)
    await harness.run(
      'ALTER TABLE event RENAME note TO said;\nALTER TABLE event ALTER said TYPE text, DROP COLUMN gone',
    )
    await harness.run(`UPDATE event SET said = said || ' and new';\nDELETE FROM event WHERE id % 3 = 0`)
    await harness.connection.transaction(async ({ query }) => {
      const start = await readStart(query)
      await applyDefinition(query, syncWith({ said: text('said') }), { start })
    })
    await harness.run(`INSERT INTO event SELECT i, 'newer' FROM generate_series(20, 29) i`)
    expect(await follower.catchUp()).toEqual({ loaded: [], wrong: [] })
  } finally {
    await harness.close()
  }
})
