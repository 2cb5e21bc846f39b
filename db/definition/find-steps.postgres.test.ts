import { pgTable, text } from 'drizzle-orm/pg-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { TableStep } from '../../protocol/index.ts'
import { createDatabase, type TestDatabase } from '../../testing/postgres/create-database.ts'
import { servers } from '../../testing/postgres/servers.ts'
import type { Database } from '../../workers/database/index.ts'
import { defineSync, type Sync, table } from '../define-sync.ts'
import { applyDefinition } from './apply-definition.ts'
import { readDefinitionInForce } from './definition-in-force.ts'
import { readStart } from './transaction-start.ts'

/** A synced table of these columns; their types come from the catalogue. */
function synced(
  name: string,
  columns: readonly string[],
  more: { hidden?: string[]; audience?: string; priority?: number } = {},
) {
  const made = pgTable(name, Object.fromEntries(columns.map((column) => [column, text(column)])))
  const named = made as unknown as Record<string, (typeof made._.columns)[string]>
  const audience = more.audience ? { column: named[more.audience] as never, prefix: 'org' } : ('all' as const)
  const { hidden, priority } = more
  return table(made, { audience, ...(hidden ? { hidden: hidden as never } : {}), ...(priority ? { priority } : {}) })
}

const NOTE = ['id', 'org', 'title', 'rank']
const carried = (names: readonly string[]) => names.map((name) => ({ name, from: name }))
const note = (columns: readonly string[], more = {}) => defineSync({ tables: { note: synced('note', columns, more) } })
const step = (columns: TableStep['columns'], more: Partial<TableStep> = {}): TableStep => ({
  table: 'public.note',
  from: 'public.note',
  columns,
  ...more,
})

describe.each(['embedded', 'system'] as const)('steps from version to version on the %s Postgres', (server) => {
  let owned: TestDatabase
  let database: Database
  beforeAll(async () => {
    owned = await createDatabase(servers()[server])
    database = await owned.open()
  })
  afterAll(async () => {
    await database.close()
    await owned.drop()
  })

  /** Runs a migration and puts in force what follows from it, as `migrate` does. */
  const migrate = (sync: Sync, ...statements: string[]) =>
    database.transaction(async ({ query }) => {
      const start = await readStart(query)
      await query('SET LOCAL search_path TO DEFAULT')
      for (const statement of statements) await query(statement)
      return await applyDefinition(query, sync, start)
    })

  /** Brings `note` to how it is before each case: five rows, three of them in the file of a column that went. */
  async function begin(sync: Sync = note(NOTE), more = ''): Promise<void> {
    await owned.run(`
      DROP SCHEMA public CASCADE; CREATE SCHEMA public; CREATE SCHEMA IF NOT EXISTS other;
      CREATE TYPE state AS ENUM ('open', 'done');
      CREATE TABLE note (id int PRIMARY KEY, org text, gone text, title varchar(10), rank int, secret text);
      INSERT INTO note SELECT n, 'a', 'x', 't' || n, n FROM generate_series(1, 5) n;
      ALTER TABLE note DROP COLUMN gone; ${more}`)
    await migrate(sync)
  }

  /** Runs a migration from there; answers the version's steps, and whether the rows of `note` hold as before. */
  async function follow(sync: Sync, ...statements: string[]) {
    const before = await readDefinitionInForce(database.query)
    const applied = await migrate(sync, ...statements)
    const stored = await readDefinitionInForce(database.query)
    expect(stored?.steps).toEqual(applied.steps)
    const since = (of: typeof before) => of?.definition.tables.find(({ name }) => name === 'note')?.since
    return {
      steps: applied.steps,
      isKept: since(before) === since(applied),
      version: applied.version,
      notes: applied.notes,
    }
  }

  type Case = [title: string, sync: Sync, statements: string[], columns: TableStep['columns']]
  const withMore = note([...NOTE, 'more'])
  const carriedCases: Case[] = [
    [
      'a column joins that may be NULL',
      withMore,
      ['ALTER TABLE note ADD more text'],
      [...carried(NOTE), { name: 'more', from: null }],
    ],
    [
      'a column joins with a constant',
      withMore,
      [`ALTER TABLE note ADD more text NOT NULL DEFAULT 'it''s, {"so"}'`],
      [...carried(NOTE), { name: 'more', from: null, value: `it's, {"so"}` }],
    ],
    [
      'a column joins with a constant, is without a default afterwards, and the session prints otherwise',
      withMore,
      [
        `SET LOCAL DateStyle = 'German'; SET LOCAL TimeZone = 'Asia/Tokyo'`,
        `ALTER TABLE note ADD more timestamptz DEFAULT '2026-01-02 03:04:05.6+00'`,
        'ALTER TABLE note ALTER more DROP DEFAULT',
      ],
      [...carried(NOTE), { name: 'more', from: null, value: '2026-01-02 03:04:05.6+00' }],
    ],
    [
      'a boolean joins',
      withMore,
      ['ALTER TABLE note ADD more boolean DEFAULT true'],
      [...carried(NOTE), { name: 'more', from: null, value: 't' }],
    ],
    [
      'an array joins',
      withMore,
      [`ALTER TABLE note ADD more text[] DEFAULT '{a,"b c",NULL}'`],
      [...carried(NOTE), { name: 'more', from: null, value: '{a,"b c",NULL}' }],
    ],
    [
      'a column of an enum joins',
      withMore,
      [`ALTER TABLE note ADD more state DEFAULT 'done'`],
      [...carried(NOTE), { name: 'more', from: null, value: 'done' }],
    ],
    [
      'a column is renamed',
      note(['id', 'org', 'name', 'rank']),
      ['ALTER TABLE note RENAME title TO name'],
      [...carried(['id', 'org']), { name: 'name', from: 'title' }, ...carried(['rank'])],
    ],
    [
      'a column is dropped',
      note(['id', 'org', 'rank']),
      ['ALTER TABLE note DROP title'],
      carried(['id', 'org', 'rank']),
    ],
    [
      'a column is dropped and another of its name added',
      note(NOTE),
      ['ALTER TABLE note DROP rank', 'ALTER TABLE note ADD rank int DEFAULT 7'],
      [...carried(['id', 'org', 'title']), { name: 'rank', from: null, value: '7' }],
    ],
    [
      'two columns swap their names',
      note(NOTE),
      [
        'ALTER TABLE note RENAME org TO old',
        'ALTER TABLE note RENAME title TO org',
        'ALTER TABLE note RENAME old TO title',
      ],
      [
        { name: 'id', from: 'id' },
        { name: 'title', from: 'org' },
        { name: 'org', from: 'title' },
        { name: 'rank', from: 'rank' },
      ],
    ],
    ['a varchar becomes longer', note(NOTE), ['ALTER TABLE note ALTER title TYPE varchar(20)'], carried(NOTE)],
    ['a varchar becomes text', note(NOTE), ['ALTER TABLE note ALTER title TYPE text'], carried(NOTE)],
    ['a column may not be NULL any more', note(NOTE), ['ALTER TABLE note ALTER title SET NOT NULL'], carried(NOTE)],
    [
      'the primary key is renamed',
      note(['key', 'org', 'title', 'rank']),
      ['ALTER TABLE note RENAME id TO key'],
      [{ name: 'key', from: 'id' }, ...carried(['org', 'title', 'rank'])],
    ],
  ]
  it.each(carriedCases)(
    `SCH-R1 SCH-R3 SCH-R4 %s: the table is made from the one before (${server})`,
    async (_title, sync, statements, columns) => {
      await begin()
      const { steps, isKept, notes } = await follow(sync, ...statements)
      expect(steps).toEqual([step(columns)])
      expect(isKept).toBe(false)
      expect(notes.join()).not.toContain('load it anew')
    },
  )

  it(`SCH-R4 DEFAULT now() gives the value that the server keeps (${server})`, async () => {
    await begin()
    const { steps } = await follow(withMore, 'ALTER TABLE note ADD more timestamptz DEFAULT now()')
    const [row] = await database.query(`SELECT DISTINCT more::text FROM public.note`)
    expect(steps?.[0]?.columns.at(-1)).toEqual({ name: 'more', from: null, value: row?.more })
  })

  it(`SCH-R1 a table or its schema is renamed: the step says from which (${server})`, async () => {
    await begin()
    const page = defineSync({ tables: { page: synced('page', NOTE) } })
    const renamed = await follow(page, 'ALTER TABLE note RENAME TO page')
    expect(renamed.steps).toEqual([step(carried(NOTE), { table: 'public.page' })])
    expect((await follow(note(NOTE), 'ALTER TABLE page RENAME TO note')).steps).toEqual([
      step(carried(NOTE), { from: 'public.page' }),
    ])
  })

  it(`SCH-R1 two tables swap their names: each is made from the other (${server})`, async () => {
    const both = defineSync({ tables: { note: synced('note', NOTE), page: synced('page', NOTE) } })
    await begin(both, 'CREATE TABLE page (LIKE note INCLUDING ALL)')
    const { steps } = await follow(
      both,
      'ALTER TABLE note RENAME TO old',
      'ALTER TABLE page RENAME TO note',
      'ALTER TABLE old RENAME TO page',
    )
    expect(steps).toEqual([step(carried(NOTE), { from: 'public.page' }), step(carried(NOTE), { table: 'public.page' })])
  })

  const enumNote = note([...NOTE, 'state'])
  const addState = `ALTER TABLE note ADD state state DEFAULT 'open'`
  it(`SCH-R5 a label joins an enum: carried; a renamed one: loaded (${server})`, async () => {
    await begin(enumNote, addState)
    await database.query(`ALTER TYPE public.state ADD VALUE 'late'`)
    await migrate(enumNote)
    const added = await follow(enumNote, `ALTER TYPE state RENAME VALUE 'late' TO 'later'`)
    expect(added).toMatchObject({ steps: [], isKept: false })
    const joined = await follow(enumNote, `ALTER TYPE state ADD VALUE 'last'`)
    expect(joined.steps).toEqual([step(carried([...NOTE, 'state']))])
    const moved = await follow(
      enumNote,
      `ALTER TYPE state RENAME VALUE 'open' TO 'new'`,
      `ALTER TYPE state ADD VALUE 'open' BEFORE 'new'`,
    )
    expect(moved).toMatchObject({ steps: [], isKept: false })
  })

  const wide = note([...NOTE, 'more'])
  const loaded: [title: string, sync: Sync, statements: string[], begun?: [Sync, string]][] = [
    ['a volatile default', wide, ['ALTER TABLE note ADD more float8 DEFAULT random()']],
    ['a cast that rewrites', note(NOTE), ['ALTER TABLE note ALTER rank TYPE bigint']],
    [
      'a cast that prints otherwise over the same bytes',
      wide,
      [`SET LOCAL TimeZone = 'UTC'`, 'ALTER TABLE note ALTER more TYPE timestamp'],
      [wide, `ALTER TABLE note ADD more timestamptz DEFAULT now()`],
    ],
    [
      'an address that is printed otherwise',
      wide,
      ['ALTER TABLE note ALTER more TYPE inet'],
      [wide, `ALTER TABLE note ADD more cidr DEFAULT '10.0.0.1'`],
    ],
    ['rows updated', wide, ['ALTER TABLE note ADD more text', `UPDATE note SET more = 'x' WHERE id = 1`]],
    ['rows inserted', wide, ['ALTER TABLE note ADD more text', `INSERT INTO note (id) VALUES (9)`]],
    ['rows deleted', wide, ['DELETE FROM note WHERE id = 1', 'ALTER TABLE note ADD more text']],
    [
      'rows written and undone',
      wide,
      ['ALTER TABLE note ADD more text', 'SAVEPOINT s', 'UPDATE note SET rank = 1', 'ROLLBACK TO s'],
    ],
    [
      'rows written by a trigger of another table',
      wide,
      ['ALTER TABLE note ADD more text', 'INSERT INTO source VALUES (1)'],
      [
        note(NOTE),
        `CREATE TABLE source (id int);
         CREATE FUNCTION pass() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN UPDATE public.note SET rank = 0; RETURN NULL; END';
         CREATE TRIGGER pass AFTER INSERT ON source FOR EACH ROW EXECUTE FUNCTION pass()`,
      ],
    ],
    ['TRUNCATE', wide, ['TRUNCATE note', 'ALTER TABLE note ADD more text']],
    ['another audience column', note(NOTE, { audience: 'title' }), [], [note(NOTE, { audience: 'org' }), '']],
    ['a hidden column shown', note([...NOTE, 'secret']), [], [note([...NOTE, 'secret'], { hidden: ['secret'] }), '']],
    [
      'a column shown that was there undeclared',
      note([...NOTE, 'secret']),
      ['ALTER TABLE note ALTER secret SET DEFAULT 1'],
    ],
    ['a generated column added', wide, ['ALTER TABLE note ADD more int GENERATED ALWAYS AS (rank + 1) STORED']],
    [
      'a generated column that becomes a plain one',
      wide,
      ['ALTER TABLE note ALTER more DROP EXPRESSION'],
      [wide, 'ALTER TABLE note ADD more int GENERATED ALWAYS AS (rank + 1) STORED'],
    ],
    ['another key', note(NOTE), ['ALTER TABLE note DROP CONSTRAINT note_pkey, ADD PRIMARY KEY (rank)']],
    [
      'another table of its name',
      note(NOTE),
      ['DROP TABLE note', 'CREATE TABLE note (id int PRIMARY KEY, org text, title varchar(10), rank int)'],
    ],
    ['writes that the server does not count', wide, ['SET LOCAL track_counts = off', 'ALTER TABLE note ADD more text']],
  ]
  it.each(loaded)(
    `SCH-R2 SCH-R3 SCH-R4 SCH-R5 %s: no step (${server})`,
    async (_title, sync, statements, begun = [note(NOTE), '']) => {
      await begin(...begun)
      expect(await follow(sync, ...statements)).toMatchObject({ steps: [], isKept: false })
    },
  )

  it(`SCH-R2 what another altered before is in doubt: no step (${server})`, async () => {
    await begin()
    await owned.run('ALTER TABLE note ADD more int DEFAULT 1; UPDATE note SET more = id')
    expect(await follow(wide)).toMatchObject({ steps: [], isKept: false })
    await owned.run('ALTER TABLE note ALTER rank TYPE bigint')
    expect(await follow(note([...NOTE, 'more', 'last']), 'ALTER TABLE note ADD last text')).toMatchObject({
      steps: [],
      isKept: false,
    })
  })

  it(`SCH-R2 what the session wrote in the transaction before is no write of this one (${server})`, async () => {
    await begin()
    await database.transaction(({ query }) => query('UPDATE public.note SET rank = rank'))
    expect((await follow(wide, 'ALTER TABLE note ADD more text')).steps).toHaveLength(1)
  })

  it(`SCH-R1 rights and priority alone: no step, and the rows hold as before (${server})`, async () => {
    await begin()
    const policy = ['ALTER TABLE note ENABLE ROW LEVEL SECURITY', 'CREATE POLICY p ON note USING (true)']
    expect(await follow(note(NOTE, { priority: 3 }), ...policy)).toMatchObject({ steps: [], isKept: true })
  })

  it(`SCH-R6 a table that joins empty needs no load; one with rows, or that had some, does (${server})`, async () => {
    const withPage = defineSync({
      tables: { note: synced('note', NOTE), page: synced('page', ['id']), leafed: synced('leafed', ['id']) },
    })
    const made = [
      'CREATE TABLE page (id int PRIMARY KEY)',
      'CREATE TABLE leafed (id int PRIMARY KEY) PARTITION BY HASH (id)',
      'CREATE TABLE leaf PARTITION OF leafed FOR VALUES WITH (MODULUS 1, REMAINDER 0)',
    ]
    await begin()
    const empty = await follow(withPage, ...made)
    const joined = (table: string): TableStep => ({ table, from: null, columns: [] })
    expect(empty).toMatchObject({ steps: [joined('public.leafed'), joined('public.page')], isKept: true })
    await begin()
    const filled = await follow(
      withPage,
      ...made,
      'INSERT INTO leafed VALUES (1)',
      'INSERT INTO page VALUES (1)',
      'DELETE FROM page',
    )
    expect(filled).toMatchObject({ steps: [], isKept: true })
    await begin()
    const again = await follow(withPage, ...made, 'INSERT INTO leafed VALUES (1)')
    expect(again.steps).toEqual([joined('public.page')])
  })

  it(`SCH-R3 SCH-R4 a partitioned table is as its leaves are (${server})`, async () => {
    const rooted = (columns: string[]) =>
      defineSync({ tables: { note: synced('note', NOTE), rooted: synced('rooted', columns) } })
    const leaf = (from: number) =>
      `CREATE TABLE leaf${from} PARTITION OF rooted FOR VALUES FROM (${from}) TO (${from + 1})`
    await begin(
      rooted(['id', 'a']),
      `CREATE TABLE rooted (id int PRIMARY KEY, a text) PARTITION BY RANGE (id); ${leaf(0)}; ${leaf(1)}; INSERT INTO rooted VALUES (0, 'x'), (1, 'y')`,
    )
    const one = (columns: TableStep['columns']) => [{ table: 'public.rooted', from: 'public.rooted', columns }]
    const a = carried(['id', 'a'])
    const added = await follow(rooted(['id', 'a', 'b']), 'ALTER TABLE rooted ADD b timestamptz DEFAULT now()')
    const [row] = await database.query('SELECT DISTINCT b::text FROM public.rooted')
    expect(added.steps).toEqual(one([...a, { name: 'b', from: null, value: row?.b ?? '' }]))
    const leaved = await follow(rooted(['id', 'a', 'c']), 'ALTER TABLE rooted RENAME b TO c', leaf(2))
    expect(leaved.steps).toEqual(one([...a, { name: 'c', from: 'b' }]))
    const written = await follow(
      rooted(['id', 'a', 'b']),
      'ALTER TABLE rooted RENAME c TO b',
      `UPDATE leaf0 SET a = 'z'`,
    )
    expect(written.steps).toEqual([])
    const gone = await follow(
      rooted(['id', 'a', 'c']),
      'ALTER TABLE rooted RENAME b TO c',
      'ALTER TABLE rooted DETACH PARTITION leaf1',
    )
    expect(gone.steps).toEqual([])
    const brought = await follow(
      rooted(['id', 'a', 'b']),
      'ALTER TABLE rooted RENAME c TO b',
      'ALTER TABLE leaf1 RENAME c TO b',
      'ALTER TABLE rooted ATTACH PARTITION leaf1 FOR VALUES FROM (1) TO (2)',
    )
    expect(brought.steps).toEqual([])
    expect((await follow(rooted(['id', 'a']), 'ALTER TABLE rooted DROP b', 'TRUNCATE leaf0')).steps).toEqual([])
  })

  it(`SCH-R5 a generated column follows the columns that it names (${server})`, async () => {
    const names = [...NOTE, 'double']
    await begin(note(names), 'ALTER TABLE note ADD double int GENERATED ALWAYS AS (rank * 2) STORED')
    const { steps } = await follow(
      note(['id', 'org', 'title', 'place', 'double']),
      'ALTER TABLE note RENAME rank TO place',
    )
    expect(steps).toEqual([
      step([...carried(['id', 'org', 'title']), { name: 'place', from: 'rank' }, { name: 'double', from: 'double' }]),
    ])
  })
})
