import { integer, pgTable, text } from 'drizzle-orm/pg-core'
import { afterEach, describe, expect, test } from 'vitest'
import { defineSync, table } from '../../db/index.ts'
import { captureCases, serverNamed } from '../../testing/capture/capture-cases.ts'
import { type CaptureHarness, startCapture } from '../../testing/capture/capture-harness.ts'
import { runDoctor } from '../health/index.ts'

const columns = { id: integer('id').primaryKey(), name: text('name') }
const party = pgTable('party', columns)
const person = pgTable('person', columns)
const forAll = { audience: 'all' } as const
const other = table(pgTable('other', columns), forAll)
const onlyOther = defineSync({ tables: { other } })
const SYNCS = {
  synced: defineSync({ tables: { other, party: table(party, forAll) } }),
  watched: defineSync({ tables: { other }, watch: [{ table: party }] }),
}
const SCHEMA = `
  CREATE TABLE other (id int PRIMARY KEY, name text);
  CREATE TABLE party (id int PRIMARY KEY, name text)`
const CHILD = 'CREATE TABLE person (born date) INHERITS (party)'

describe.each(captureCases)('tables that others inherit from, $decoder on $server', ({ decoder, server }) => {
  let harness: CaptureHarness
  afterEach(() => harness.close())
  const start = async (schema: string, sync = onlyOther) => {
    harness = await startCapture(serverNamed(server), decoder, schema, sync)
  }
  const published = () =>
    harness.query(`SELECT tablename FROM pg_publication_tables WHERE pubname = 'tidemark' ORDER BY 1`)

  test.each(['synced', 'watched'] as const)(
    'FLD-34 DEF-R2 a %s one is refused before anything is changed, and the app goes on writing',
    async (way) => {
      await start(
        `${SCHEMA};--> statement-breakpoint\n${CHILD};--> statement-breakpoint\nINSERT INTO person VALUES (11, 'c1', '2000-01-01')`,
      )
      const before = await published()
      await expect(harness.install('SELECT 1', SYNCS[way])).rejects.toMatchObject({
        kind: 'misconfigured',
        message: expect.stringMatching(
          /public\.party has tables that inherit from it \(public\.person\).*ALTER TABLE public\.person NO INHERIT "public"\."party"/,
        ),
      })
      expect(await published()).toEqual(before)
      await harness.run(`UPDATE person SET name = 'x';\nDELETE FROM person WHERE id = 11`)
      await harness.run('ALTER TABLE person NO INHERIT party')
      await harness.install('SELECT 1', SYNCS[way])
    },
  )

  test.each(['synced', 'watched'] as const)(
    'FLD-35 DEF-R2 the first child of a %s one halts capture and fails doctor, by name, until it is gone',
    async (way) => {
      await start(SCHEMA, SYNCS[way])
      await harness.run(CHILD)
      await harness.run(`INSERT INTO other VALUES (1, 'x')`)
      await expect(harness.cycle()).rejects.toMatchObject({
        kind: 'schema-drift',
        message: expect.stringMatching(/public\.party has a table that inherits from it \(public\.person\)/),
      })
      const checks = await runDoctor(harness.connection.query, { sync: SYNCS[way] })
      const name = way === 'synced' ? 'table public.party' : 'watched public.party'
      expect(checks.find((check) => check.name === name)).toMatchObject({
        status: 'fail',
        message: expect.stringContaining('public.person'),
      })
      await harness.run('DROP TABLE person')
      await harness.drain()
    },
  )

  test('FLD-36 DEF-R2 a synced table that itself inherits is told what statements on its parent do to it', async () => {
    const schema = `${SCHEMA};--> statement-breakpoint\n${CHILD};--> statement-breakpoint\nALTER TABLE person ADD PRIMARY KEY (id)`
    await start(schema, defineSync({ tables: { other, person: table(person, forAll) } }))
    await harness.run(`INSERT INTO person VALUES (1, 'a'), (2, 'b');\nINSERT INTO party VALUES (3, 'p')`)
    await harness.run(
      `UPDATE party SET name = 'c' WHERE id IN (1, 3);\nDELETE FROM party WHERE id = 2;\nTRUNCATE party`,
    )
    await harness.drain()
    expect((await harness.history()).map(({ operation, key, data }) => [operation, key?.id, data?.name])).toEqual([
      ['insert', '1', 'a'],
      ['insert', '2', 'b'],
      ['update', '1', 'c'],
      ['delete', '2', undefined],
      ['truncate', undefined, undefined],
    ])
  })
})
