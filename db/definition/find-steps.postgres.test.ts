import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { outputExpression, type TableStep } from '../../protocol/index.ts'
import { servers } from '../../testing/postgres/servers.ts'
import {
  carried,
  NOTE,
  note,
  openStepDatabase,
  type StepDatabase,
  step,
  synced,
} from '../../testing/postgres/step-database.ts'
import { defineSync, readDefinitionInForce, type Sync } from '../index.ts'

describe.each(['embedded', 'system'] as const)(
  'tables that are made from those before on the %s Postgres',
  (server) => {
    let open: StepDatabase
    beforeAll(async () => {
      open = await openStepDatabase(servers()[server])
    })
    afterAll(() => open.close())

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
      ['a column is hidden', note(NOTE, { hidden: ['title'] }), [], carried(['id', 'org', 'rank'])],
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
        await open.begin()
        const { steps, isKept } = await open.follow(sync, ...statements)
        expect(steps).toEqual([step(columns)])
        expect(isKept).toBe(false)
      },
    )

    it(`SCH-R4 DEFAULT now() gives the value that the server keeps (${server})`, async () => {
      await open.begin()
      const { steps } = await open.follow(withMore, 'ALTER TABLE note ADD more timestamptz DEFAULT now()')
      const [row] = await open.database.query(`SELECT DISTINCT more::text FROM public.note`)
      expect(steps?.[0]?.columns.at(-1)).toEqual({ name: 'more', from: null, value: row?.more })
    })

    it(`SCH-R4 the value of an added column is printed as snapshots print it, whatever its type (${server})`, async () => {
      await open.begin(note(NOTE), `CREATE DOMAIN short AS varchar(5); SET extra_float_digits = -15`)
      const values: Record<string, string> = {
        boolean: 'false',
        'numeric(10,2)': '1.5',
        'double precision': '0.1::float8 + 0.2',
        bytea: `'\\x00ff'`,
        jsonb: `'{"b": [1, "x\\n"], "a": null}'`,
        'timestamptz[]': `ARRAY[now(), NULL]`,
        interval: `'1 mon 2 days -3 hours'`,
        inet: `'10.0.0.1/32'`,
        money: '12345.6',
        char: `'x'`,
        short: `'äö ü'`,
        text: `''`,
        'state[]': `'{open,done}'`,
      }
      const names = Object.keys(values).map((_, index) => `v${index}`)
      const adds = Object.entries(values).map(([type, value], index) => `ADD v${index} ${type} DEFAULT ${value}`)
      const { steps } = await open.follow(
        note([...NOTE, ...names]),
        `SET LOCAL IntervalStyle = 'iso_8601'; SET LOCAL bytea_output = 'escape'`,
        `ALTER TABLE note ${adds.join(', ')}`,
      )
      const defined = await readDefinitionInForce(open.database.query)
      const added = defined?.definition.tables[0]?.columns.filter(({ name }) => names.includes(name)) ?? []
      const [row] = await open.database.query(
        `SELECT ${added.map((column) => `${outputExpression(column)} AS ${column.name}`).join(', ')} FROM public.note LIMIT 1`,
      )
      expect(steps[0]?.columns.slice(NOTE.length)).toEqual(
        names.map((name) => ({ name, from: null, value: row?.[name] })),
      )
    })

    it(`SCH-R1 a table or its schema is renamed: the step says from which (${server})`, async () => {
      await open.begin()
      const page = defineSync({ tables: { page: synced('page', NOTE) } })
      const renamed = await open.follow(page, 'ALTER TABLE note RENAME TO page')
      expect(renamed.steps).toEqual([step(carried(NOTE), { table: 'public.page' })])
      expect((await open.follow(note(NOTE), 'ALTER TABLE page RENAME TO note')).steps).toEqual([
        step(carried(NOTE), { from: 'public.page' }),
      ])
    })

    it(`SCH-R1 two tables swap their names: each is made from the other (${server})`, async () => {
      const both = defineSync({ tables: { note: synced('note', NOTE), page: synced('page', NOTE) } })
      await open.begin(both, 'CREATE TABLE page (LIKE note INCLUDING ALL)')
      const { steps } = await open.follow(
        both,
        'ALTER TABLE note RENAME TO old',
        'ALTER TABLE page RENAME TO note',
        'ALTER TABLE old RENAME TO page',
      )
      expect(steps).toEqual([
        step(carried(NOTE), { from: 'public.page' }),
        step(carried(NOTE), { table: 'public.page' }),
      ])
    })

    const enumNote = note([...NOTE, 'state'])
    const addState = `ALTER TABLE note ADD state state DEFAULT 'open'`
    it(`SCH-R5 a label joins an enum: carried; a renamed one: loaded (${server})`, async () => {
      await open.begin(enumNote, addState)
      await open.database.query(`ALTER TYPE public.state ADD VALUE 'late'`)
      await open.migrate(enumNote)
      const added = await open.follow(enumNote, `ALTER TYPE state RENAME VALUE 'late' TO 'later'`)
      expect(added).toMatchObject({ steps: [], isKept: false })
      const joined = await open.follow(enumNote, `ALTER TYPE state ADD VALUE 'last'`)
      expect(joined.steps).toEqual([step(carried([...NOTE, 'state']))])
      const moved = await open.follow(
        enumNote,
        `ALTER TYPE state RENAME VALUE 'open' TO 'new'`,
        `ALTER TYPE state ADD VALUE 'open' BEFORE 'new'`,
      )
      expect(moved).toMatchObject({ steps: [], isKept: false })
    })

    it(`SCH-R1 rights and priority alone: no step, and the rows hold as before (${server})`, async () => {
      await open.begin()
      const policy = ['ALTER TABLE note ENABLE ROW LEVEL SECURITY', 'CREATE POLICY p ON note USING (true)']
      expect(await open.follow(note(NOTE, { priority: 3 }), ...policy)).toMatchObject({ steps: [], isKept: true })
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
      await open.begin()
      const empty = await open.follow(withPage, ...made)
      const joined = (table: string): TableStep => ({ table, from: null, columns: [] })
      expect(empty).toMatchObject({ steps: [joined('public.leafed'), joined('public.page')], isKept: true })
      await open.begin()
      const filled = await open.follow(
        withPage,
        ...made,
        'INSERT INTO leafed VALUES (1)',
        'INSERT INTO page VALUES (1)',
        'DELETE FROM page',
      )
      expect(filled).toMatchObject({ steps: [], isKept: true })
      await open.begin()
      const again = await open.follow(withPage, ...made, 'INSERT INTO leafed VALUES (1)')
      expect(again.steps).toEqual([joined('public.page')])
    })

    it(`SCH-R3 SCH-R4 a partitioned table is as its leaves are (${server})`, async () => {
      const rooted = (columns: string[]) =>
        defineSync({ tables: { note: synced('note', NOTE), rooted: synced('rooted', columns) } })
      const leaf = (from: number) =>
        `CREATE TABLE leaf${from} PARTITION OF rooted FOR VALUES FROM (${from}) TO (${from + 1})`
      await open.begin(
        rooted(['id', 'a']),
        `CREATE TABLE rooted (id int PRIMARY KEY, a text) PARTITION BY RANGE (id); ${leaf(0)}; ${leaf(1)}; INSERT INTO rooted VALUES (0, 'x'), (1, 'y')`,
      )
      const one = (columns: TableStep['columns']) => [{ table: 'public.rooted', from: 'public.rooted', columns }]
      const a = carried(['id', 'a'])
      const added = await open.follow(rooted(['id', 'a', 'b']), 'ALTER TABLE rooted ADD b timestamptz DEFAULT now()')
      const [row] = await open.database.query('SELECT DISTINCT b::text FROM public.rooted')
      expect(added.steps).toEqual(one([...a, { name: 'b', from: null, value: row?.b ?? '' }]))
      const leaved = await open.follow(rooted(['id', 'a', 'c']), 'ALTER TABLE rooted RENAME b TO c', leaf(2))
      expect(leaved.steps).toEqual(one([...a, { name: 'c', from: 'b' }]))
      const written = await open.follow(
        rooted(['id', 'a', 'b']),
        'ALTER TABLE rooted RENAME c TO b',
        `UPDATE leaf0 SET a = 'z'`,
      )
      expect(written.steps).toEqual([])
      const gone = await open.follow(
        rooted(['id', 'a', 'c']),
        'ALTER TABLE rooted RENAME b TO c',
        'ALTER TABLE rooted DETACH PARTITION leaf1',
      )
      expect(gone.steps).toEqual([])
      const brought = await open.follow(
        rooted(['id', 'a', 'b']),
        'ALTER TABLE rooted RENAME c TO b',
        'ALTER TABLE leaf1 RENAME c TO b',
        'ALTER TABLE rooted ATTACH PARTITION leaf1 FOR VALUES FROM (1) TO (2)',
      )
      expect(brought.steps).toEqual([])
      expect((await open.follow(rooted(['id', 'a']), 'ALTER TABLE rooted DROP b', 'TRUNCATE leaf0')).steps).toEqual([])
    })

    it(`SCH-R5 a generated column follows the columns that it names (${server})`, async () => {
      const names = [...NOTE, 'double']
      await open.begin(note(names), 'ALTER TABLE note ADD double int GENERATED ALWAYS AS (rank * 2) STORED')
      const { steps } = await open.follow(
        note(['id', 'org', 'title', 'place', 'double']),
        'ALTER TABLE note RENAME rank TO place',
      )
      expect(steps).toEqual([
        step([...carried(['id', 'org', 'title']), { name: 'place', from: 'rank' }, { name: 'double', from: 'double' }]),
      ])
    })
  },
)
