import { join } from 'node:path'
import { afterAll, beforeEach, expect, test } from 'vitest'
import { useEmptyConnection } from '../../testing/cli/create-empty-database.ts'
import { makeApp, NOTE_APP } from '../../testing/cli/make-app.ts'
import { servers } from '../../testing/postgres/servers.ts'
import { loadSync } from '../app/load-module.ts'
import { applyMigrations } from './apply-migrations.ts'
import { batchOf } from './batch-statement.ts'
import { toMigrationFile } from './migration-file.ts'
import { tryMigrations } from './try-migrations.ts'

const app = makeApp({
  'sync.ts': NOTE_APP['sync.ts'] ?? '',
  'migrations/0001_note.sql': `CREATE TABLE note (id uuid PRIMARY KEY, team text NOT NULL, body text, n int);
    CREATE TABLE seen (xid xid8, count int);
    CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS
      'BEGIN INSERT INTO seen SELECT pg_current_xact_id(), count(*) FROM changed; RETURN NULL; END';
    CREATE TRIGGER updated AFTER UPDATE ON note REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION see();
    CREATE TRIGGER deleted AFTER DELETE ON note REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION see();`,
})
const database = useEmptyConnection(servers().embedded)
afterAll(() => app.remove())
const folder = join(app.folder, 'migrations')
const migrate = async () => applyMigrations(database, folder, await loadSync(join(app.folder, 'sync.ts')))

const seen = async () => {
  const rows = await database.query(
    'SELECT sum(count)::text AS count FROM public.seen GROUP BY xid::text ORDER BY min(xid)',
  )
  // The statement that finds nothing more, and the file itself after that, change none.
  return rows.map(({ count }) => Number(count)).filter((count) => count > 0)
}
beforeEach(async () => {
  const [there] = await database.query(`SELECT to_regclass('public.seen')::text AS found`)
  if (there?.found) await database.query('TRUNCATE public.seen')
})

test('CLI-R36 a backfill is committed batch by batch, once for each row, and its file is on record at the end', async () => {
  await migrate()
  await database.query(
    `INSERT INTO public.note SELECT gen_random_uuid(), 't', 'where; it''s' FROM generate_series(1, 25)`,
  )
  app.write({
    'migrations/0002_fill.sql': `-- tidemark: batches of 10
-- tidemark: additive
UPDATE note SET n = 1, body = body || ' where ' /* where */ WHERE n IS NULL AND team IN (SELECT team FROM note WHERE true) -- all`,
  })
  const tried = await tryMigrations(database, folder, await loadSync(join(app.folder, 'sync.ts')))
  expect(tried.ran).toEqual(['0002_fill.sql'])
  expect(await seen()).toEqual([])
  const ran = await migrate()
  expect(ran).toMatchObject({ ran: ['0002_fill.sql'], notes: ['0002_fill.sql: 25 rows in 3 batches.'] })
  expect(await seen()).toEqual([10, 10, 5])
  const [rows] = await database.query(
    `SELECT count(*)::text AS count FROM public.note WHERE n = 1 AND body = 'where; it''s where '`,
  )
  expect(rows?.count).toBe('25')
  app.write({ 'migrations/0003_drop.sql': `-- tidemark: batches of 20\nDELETE FROM ONLY "note" WHERE n = 1` })
  await migrate()
  expect(await seen()).toEqual([10, 10, 5, 20, 5])
})

test('CLI-R36 what a run that ended left is what the next one does', async () => {
  await database.query(`INSERT INTO public.note SELECT gen_random_uuid(), 't', n::text FROM generate_series(1, 25) n`)
  app.write({
    'migrations/0004_fill.sql': `-- tidemark: batches of 10\nUPDATE note SET n = 20 / (15 - body::int) WHERE n IS NULL`,
  })
  await expect(migrate()).rejects.toThrow(
    'failed and left the 10 rows of the batches before as it made them: division by zero',
  )
  expect(await seen()).toEqual([10])
  app.write({ 'migrations/0004_fill.sql': `-- tidemark: batches of 10\nUPDATE note SET n = 0 WHERE n IS NULL` })
  expect((await migrate()).notes).toContain('0004_fill.sql: 15 rows in 2 batches.')
})

test('CLI-R36 a statement that would never end is taken back at its first batch', async () => {
  app.write({ 'migrations/0005_more.sql': `-- tidemark: batches of 10\nUPDATE note SET n = n + 1 WHERE n IS NOT NULL` })
  await expect(migrate()).rejects.toThrow('its WHERE still holds for rows that it changed')
  expect(await seen()).toEqual([])
  app.write({ 'migrations/0005_more.sql': 'SELECT 1' })
  await migrate()
})

test('CLI-R36 a table that others inherit from is refused, because a place tells a row of one table alone', async () => {
  await database.query('CREATE TABLE public.log (n int)')
  await database.query('CREATE TABLE public.old_log () INHERITS (public.log)')
  await database.query('INSERT INTO public.log SELECT 1 FROM generate_series(1, 5)')
  await database.query('INSERT INTO public.old_log SELECT 2 FROM generate_series(1, 5)')
  app.write({ 'migrations/0006_drop.sql': '-- tidemark: batches of 10\nDELETE FROM log WHERE n = 2' })
  const said = await migrate().then(
    () => '',
    (error: Error) => error.message,
  )
  expect(await database.query('SELECT count(*)::text AS count FROM ONLY public.log')).toEqual([{ count: '5' }])
  expect(said).toContain('cannot run in batches, because log is not a plain table')
  app.write({ 'migrations/0006_drop.sql': 'DROP TABLE old_log' })
  await migrate()
})

test('CLI-R36 what cannot be divided is refused before any file runs', () => {
  const said = (text: string) => () => batchOf(toMigrationFile('f.sql', `-- tidemark: batches of 10\n${text}`))
  for (const text of [
    'UPDATE note SET n = 1',
    'UPDATE note AS x SET n = 1 WHERE n = 0',
    'UPDATE note SET n = 1 FROM other WHERE n = 0',
    'UPDATE note SET n = 1 WHERE n = 0 RETURNING id',
    'DELETE FROM note USING other WHERE n = 0',
    'UPDATE note SET n = 1 WHERE n = 0; UPDATE note SET n = 2 WHERE n = 3',
    'INSERT INTO note SELECT * FROM other WHERE true',
    'DO $$ BEGIN END $$',
  ])
    expect(said(text), text).toThrow('for which it has to be one statement')
  expect(said(`UPDATE public."a b" SET n = (SELECT 1 FROM x WHERE y) WHERE n IS NULL`)).not.toThrow()
  expect(() => toMigrationFile('f.sql', '-- tidemark: batches of none')).toThrow('or batches of 1000')
  expect(batchOf(toMigrationFile('f.sql', 'UPDATE note SET n = 1'))).toBeNull()
})
