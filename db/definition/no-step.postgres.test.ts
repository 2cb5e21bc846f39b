import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { servers } from '../../testing/postgres/servers.ts'
import { NOTE, note, openStepDatabase, type StepDatabase } from '../../testing/postgres/step-database.ts'
import type { Sync } from '../index.ts'

describe.each(['embedded', 'system'] as const)('tables that are loaded anew on the %s Postgres', (server) => {
  let open: StepDatabase
  beforeAll(async () => {
    open = await openStepDatabase(servers()[server])
  })
  afterAll(() => open.close())

  const wide = note([...NOTE, 'more'])
  const FILL_SECRET = 'UPDATE note SET secret = rank WHERE id = 1'
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
    [
      'a value of a type whose array is written otherwise',
      wide,
      [`ALTER TABLE note ADD more box DEFAULT '(1,1),(0,0)'`],
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
    [
      'a hidden column shown',
      note([...NOTE, 'secret']),
      [],
      [note([...NOTE, 'secret'], { hidden: ['secret'] }), FILL_SECRET],
    ],
    [
      'a column shown that was there undeclared',
      note([...NOTE, 'secret']),
      ['ALTER TABLE note ALTER secret SET DEFAULT 1'],
      [note(NOTE), FILL_SECRET],
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
      await open.begin(...begun)
      expect(await open.follow(sync, ...statements)).toMatchObject({ steps: [], isKept: false })
    },
  )

  it(`SCH-R2 what another altered before is in doubt: no step (${server})`, async () => {
    await open.begin()
    await open.owned.run('ALTER TABLE note ADD more int DEFAULT 1; UPDATE note SET more = id')
    expect(await open.follow(wide)).toMatchObject({ steps: [], isKept: false })
    await open.owned.run('ALTER TABLE note ALTER rank TYPE bigint')
    expect(await open.follow(note([...NOTE, 'more', 'last']), 'ALTER TABLE note ADD last text')).toMatchObject({
      steps: [],
      isKept: false,
    })
  })

  it(`SCH-R2 what the session wrote in the transaction before is no write of this one (${server})`, async () => {
    await open.begin()
    await open.database.transaction(({ query }) => query('UPDATE public.note SET rank = rank'))
    expect((await open.follow(wide, 'ALTER TABLE note ADD more text')).steps).toHaveLength(1)
  })
})
