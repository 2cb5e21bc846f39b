import { integer, pgTable, text } from 'drizzle-orm/pg-core'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { applyDefinition, defineSync, table } from '../../db/index.ts'
import { type CaptureHarness, startCapture } from '../../testing/capture/capture-harness.ts'
import { dyingAt, Killed } from '../../testing/capture/dying-database.ts'
import { Follower } from '../../testing/capture/follower.ts'
import { servers } from '../../testing/postgres/servers.ts'
import { NO_MEMORY } from './rules/epoch-decision.ts'

const item = pgTable('item', { id: integer('id').primaryKey(), org: text('org').notNull(), note: text('note') })
const other = pgTable('other', { id: integer('id').primaryKey(), rank: integer('rank') })
const syncItem = { item: table(item, { audience: { column: item.org, prefix: 'org' } }) }
const syncOther = { other: table(other, { audience: 'all' }) }
const sync = defineSync({ tables: { ...syncItem, ...syncOther } })
const COLUMNS = '(id int PRIMARY KEY, org text NOT NULL, note text)'
const SCHEMA = `CREATE TABLE item ${COLUMNS};\nCREATE TABLE other (id int PRIMARY KEY, rank int)`

describe.each([
  { decoder: 'wal2json', server: 'system' },
  { decoder: 'pgoutput', server: 'embedded' },
] as const)('$decoder on $server', ({ decoder, server }) => {
  let harness: CaptureHarness
  let follower: Follower
  let epoch: string | undefined
  const currentEpoch = async () =>
    (await harness.query('SELECT id FROM tidemark.epoch WHERE ended_at IS NULL'))[0]?.id ?? undefined
  const captured = () => harness.capture.state?.definition.definition.tables.map(({ id }) => id)

  beforeEach(async () => {
    harness = await startCapture(servers()[server], decoder, SCHEMA, sync)
    follower = new Follower(harness)
    epoch = await currentEpoch()
    await harness.run(`INSERT INTO item VALUES (1, 'a', 'old'), (2, 'b', 'old');\nINSERT INTO other VALUES (1, 1)`)
    expect((await follower.catchUp()).wrong).toEqual([])
  })
  afterEach(async () => {
    expect(await currentEpoch()).toBe(epoch)
    await harness.close()
  })

  const run = (...statements: string[]) => harness.run(statements.join(';\n'))
  const migrate = (...statements: string[]) =>
    harness.connection.transaction(async ({ query }) => {
      for (const statement of statements) await query(statement)
      return await applyDefinition(query, sync)
    })
  const expectHalt = async (said: string) => {
    await run('INSERT INTO other SELECT max(id) + 1, 1 FROM other')
    for (const cycle of ['first', 'next']) {
      await expect(harness.drain(), cycle).rejects.toMatchObject({
        kind: 'schema-drift',
        message: expect.stringContaining(said),
      })
    }
  }

  test.each([
    [
      'swapped',
      [
        `CREATE TABLE item_new ${COLUMNS}`,
        'ALTER TABLE item_new REPLICA IDENTITY FULL',
        `INSERT INTO item_new VALUES (1, 'a', 'new')`,
        'BEGIN',
        'ALTER TABLE item RENAME TO item_old',
        'ALTER TABLE item_new RENAME TO item',
        'COMMIT',
      ],
    ],
    [
      'made anew',
      [
        'BEGIN',
        'DROP TABLE item',
        `CREATE TABLE item ${COLUMNS}`,
        'ALTER TABLE item REPLICA IDENTITY FULL',
        `INSERT INTO item VALUES (3, 'a', 'fresh')`,
        'COMMIT',
      ],
    ],
  ])(
    'FLD-08 CAP-R37 CAP-R40 a table %s by other hands halts capture; a migration has it loaded, and goes on with it',
    async (_, steps) => {
      await run(...steps, `INSERT INTO item VALUES (5, 'a', 'later')`)
      await expectHalt('Table public.item is another table')
      await migrate()
      expect(await follower.catchUp()).toEqual({ loaded: ['public.item'], wrong: [] })
      await run(`INSERT INTO item VALUES (6, 'a', 'x')`, `UPDATE item SET org = 'b' WHERE id = 5`)
      expect(await follower.catchUp()).toEqual({ loaded: [], wrong: [] })
    },
  )

  test('FLD-08 CAP-R39 a table made anew by a migration is loaded, and nothing else', async () => {
    await run(`UPDATE item SET note = 'last' WHERE id = 1`)
    const applied = await migrate(
      'DROP TABLE public.item',
      `CREATE TABLE public.item ${COLUMNS}`,
      `INSERT INTO public.item VALUES (2, 'b', 'second'), (9, 'a', 'second')`,
    )
    expect(applied.changed).toBe(true)
    await run(`UPDATE item SET note = 'third' WHERE id = 2`)
    expect(await follower.catchUp()).toEqual({ loaded: ['public.item'], wrong: [] })
    expect((await harness.history()).map(({ data }) => data?.note)).toContain('last')
  })

  test('FLD-09 CAP-R41 a halt ends by itself: the shape is adopted as it is and replayed, and other tables go on meanwhile untouched', async () => {
    await run('ALTER TABLE item DROP COLUMN note', `INSERT INTO item VALUES (3, 'a')`)
    await expectHalt('no longer has column note')
    harness.nowMs += 3_600_000
    expect(await follower.catchUp()).toEqual({ loaded: [], wrong: [] })
    const adopted = harness.capture.state?.definition.definition.tables.find(({ name }) => name === 'item')
    expect(adopted?.columns.map(({ name }) => name)).toEqual(['id', 'org'])
    await run(`INSERT INTO item VALUES (4, 'a')`)
    expect(await follower.catchUp()).toEqual({ loaded: [], wrong: [] })
  })

  test.each([
    ['is dropped', ['DROP TABLE item']],
    [
      'has no key any more',
      ['ALTER TABLE item DROP CONSTRAINT item_pkey', `INSERT INTO item VALUES (1, 'a', 'twice')`],
    ],
  ])('FLD-09 CAP-R41 a table that %s is left out when the halt ends by itself', async (_, steps) => {
    await run(...steps)
    await expectHalt('Table public.item')
    harness.nowMs += 3_600_000
    expect((await follower.catchUp()).wrong).toEqual([])
    expect(captured()).toEqual(['public.other'])
    expect(harness.capture.leftOut).toEqual(['public.item'])
    await harness.install('SELECT 1', defineSync({ tables: { other: table(other, { audience: 'all', priority: 1 }) } }))
    await follower.catchUp()
    expect(harness.capture.leftOut).toEqual([])
  })

  test('FLD-10 CAP-R37 a table left out by the migration after a halt is passed over below it', async () => {
    await run('ALTER TABLE item DROP COLUMN note', `INSERT INTO item VALUES (3, 'a')`)
    await expectHalt('no longer has column note')
    harness.memory = { ...NO_MEMORY }
    harness.restart()
    await harness.install('SELECT 1', defineSync({ tables: syncOther }))
    await harness.drain().catch(() => {})
    expect((await follower.catchUp()).wrong).toEqual([])
    expect(captured()).toEqual(['public.other'])
  })

  test.each([
    [
      'its domain is another',
      'CREATE DOMAIN small AS varchar(3)',
      'ALTER TABLE item ALTER note TYPE small USING left(note, 3)',
      'column note as public.small',
    ],
    ['another inherits from it', 'SELECT 1', 'CREATE TABLE heir () INHERITS (item)', 'inherits from it (public.heir)'],
    ['it moves to another schema', 'CREATE SCHEMA away', 'ALTER TABLE item SET SCHEMA away', 'is gone or renamed'],
    [
      'its key is another',
      'SELECT 1',
      'ALTER TABLE item DROP CONSTRAINT item_pkey, ADD PRIMARY KEY (id, org)',
      'another primary key',
    ],
    ['it loses its full identity', 'SELECT 1', 'ALTER TABLE item REPLICA IDENTITY DEFAULT', 'REPLICA IDENTITY FULL'],
  ])('FLD-11 CAP-R35 CAP-R37 a table halts where %s', async (_, prepare, alter, said) => {
    await run(prepare)
    expect(await follower.catchUp()).toEqual({ loaded: [], wrong: [] })
    await run(alter)
    await expectHalt(said)
  })

  test('FLD-12 CAP-R17 CAP-R38 what was altered and taken back by hand is loaded anew, in the same epoch', async () => {
    await run('ALTER TABLE item ALTER org DROP NOT NULL', `INSERT INTO item VALUES (7, NULL, 'x')`)
    await expectHalt('may hold NULL in column org')
    await run('DELETE FROM item WHERE id = 7', 'ALTER TABLE item ALTER org SET NOT NULL')
    expect(await follower.catchUp()).toEqual({ loaded: ['public.item'], wrong: [] })
    // A change between two cycles shows in the log alone.
    await run(
      'ALTER TABLE item ALTER org DROP NOT NULL',
      `INSERT INTO item VALUES (7, NULL, 'x')`,
      'DELETE FROM item WHERE id = 7',
      'ALTER TABLE item ALTER org SET NOT NULL',
    )
    await expect(harness.drain()).rejects.toMatchObject({ message: expect.stringContaining('NULL in column org') })
    expect(await follower.catchUp()).toEqual({ loaded: ['public.item'], wrong: [] })
  })

  test.each([
    { when: 'before', statement: /table_shape/ },
    { when: 'after', statement: /INSERT INTO tidemark.sync_definition/ },
    { when: 'after', statement: 'commit' },
  ] as const)('FLD-13 CAP-R10 CAP-R38 a kill $when $statement while drift is adopted loses nothing', async (moment) => {
    await run(`ALTER TABLE item ALTER note TYPE text USING upper(note)`, `INSERT INTO item VALUES (3, 'a', 'x')`)
    await expect(harness.drain()).rejects.toMatchObject({ kind: 'schema-drift' })
    const dying = await harness.database.open()
    await expect(harness.drain(dyingAt(dying, moment))).rejects.toThrow(Killed)
    await dying.close()
    harness.restart()
    await run(`INSERT INTO other VALUES (2, 2)`)
    expect(await follower.catchUp()).toEqual({ loaded: ['public.item'], wrong: [] })
  })

  test('FLD-14 CAP-R42 an epoch begins over tables that are others, or hold others rows, than those compared last', async () => {
    await run('ALTER TABLE item ALTER note TYPE text USING upper(note)')
    await harness.query(`UPDATE tidemark.epoch SET ended_at = now(), end_reason = 'released' WHERE ended_at IS NULL`)
    await harness.drain()
    epoch = await currentEpoch()
    await run(`INSERT INTO item VALUES (3, 'a', 'x')`)
    await harness.drain()
    expect((await harness.history()).map(({ key }) => key?.id)).toEqual(['3'])
  })
})
