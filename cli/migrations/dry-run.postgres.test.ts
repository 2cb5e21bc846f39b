import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import type { Sync } from '../../db/define-sync.ts'
import { useEmptyDatabase } from '../../testing/cli/create-empty-database.ts'
import { makeApp, NOTE_APP } from '../../testing/cli/make-app.ts'
import { runCommand } from '../../testing/cli/run-command.ts'
import { servers } from '../../testing/postgres/servers.ts'
import { type Database, withDatabase } from '../../workers/database/index.ts'
import { loadSync } from '../app/load-module.ts'
import { applyMigrations } from './apply-migrations.ts'
import { tryMigrations } from './try-migrations.ts'

const app = makeApp()
const server = servers().embedded
const database = useEmptyDatabase(server)
afterAll(() => app.remove())

async function withApp<Result>(
  use: (open: Database, sync: Sync, migrations: string) => Promise<Result>,
): Promise<Result> {
  const sync = await loadSync(join(app.folder, 'sync.ts'))
  return await withDatabase({ DATABASE_URL: database.url, DATABASE_PROXY: server.proxy }, (open) =>
    use(open, sync, join(app.folder, 'migrations')),
  )
}

const run = () => withApp((open, sync, migrations) => applyMigrations(open, migrations, sync))
const attempt = () => withApp((open, sync, migrations) => tryMigrations(open, migrations, sync))

/** All that a trial must leave as it was. */
async function state() {
  const [catalogue] = await database.query(
    `SELECT md5(string_agg(c.oid || c.relname || c.relfilenode || c.xmin, ',' ORDER BY c.oid)) AS relations,
       (SELECT md5(string_agg(a.attrelid || a.attname || a.xmin, ',' ORDER BY a.attrelid, a.attnum)) FROM pg_attribute a
        JOIN pg_class t ON t.oid = a.attrelid WHERE t.relnamespace NOT IN ('pg_catalog'::regnamespace, 'pg_toast'::regnamespace)) AS columns,
       (SELECT string_agg(p.xmin::text || prrelid, ',' ORDER BY prrelid) FROM pg_publication_rel p) AS published
     FROM pg_class c WHERE c.relnamespace NOT IN ('pg_catalog'::regnamespace, 'pg_toast'::regnamespace)`,
  )
  const own = await database.query(
    `SELECT (SELECT json_agg(m ORDER BY m.name) FROM tidemark.app_migration m)::text AS files,
       (SELECT json_agg(d ORDER BY d.version) FROM tidemark.sync_definition d)::text AS definitions,
       (SELECT json_agg(s ORDER BY s.version, s.table_id) FROM tidemark.table_shape s)::text AS shapes`,
  )
  return { catalogue, own }
}

test('CLI-R23 a trial on an empty database leaves it empty, and prints the statements', async () => {
  const tried = await runCommand(['migration:run', app.folder, '--dry-run'], { DATABASE_URL: database.url })
  expect(tried).toMatchObject({ code: 0, stderr: '' })
  expect(tried.stdout).toContain('Would apply 0001_note.sql:\n  CREATE TABLE note')
  expect(tried.stdout).toContain('a new version would come in force')
  expect(tried.stdout).toContain('Locks are waited for 3 s at a time')
  expect(await database.query(`SELECT 1 FROM pg_namespace WHERE nspname = 'tidemark'`)).toEqual([])
  await run()
})

const LATER = `
const label = pgTable('label', { id: text('id').primaryKey() })
const other = pgTable('other', { id: text('id').primaryKey() })`

test('CLI-R23 CLI-R24 a trial says what replicas would do, file by file in one transaction, and leaves nothing behind', async () => {
  await database.query(
    `INSERT INTO public.note SELECT gen_random_uuid(), 't', repeat('x', 1000) FROM generate_series(1, 500); ANALYZE public.note`,
  )
  await database.query(`CREATE TABLE public.other (id text PRIMARY KEY); INSERT INTO public.other VALUES ('1')`)
  const sync = NOTE_APP['sync.ts'] ?? ''
  app.write({
    'sync.ts': sync
      .replace("body: text('body')", "body: text('body'), rank: text('rank')")
      .replace('export const sync', `${LATER}\nexport const sync`)
      .replace(
        'tables: {',
        "tables: { label: table(label, { audience: 'all' }), other: table(other, { audience: 'all' }),",
      ),
    'migrations/0002_rank.sql': `ALTER TABLE note ADD rank text DEFAULT 'a';\n--> statement-breakpoint\nCREATE TABLE label (id text PRIMARY KEY)`,
    'migrations/0003_server.sql': 'CREATE TABLE server_only ()',
  })
  const before = await state()
  const tried = await attempt()
  expect(tried.ran).toEqual(['0002_rank.sql', '0003_server.sql'])
  expect(tried.definition.changed).toBe(true)
  const effects = [
    'Table public.label joins: replicas make it (nothing is downloaded).',
    expect.stringMatching(/^Table public\.other joins: replicas load it: rows not yet counted.*, 9 kB in all/),
    'Table public.note: replicas change theirs in place (nothing is downloaded).',
  ]
  expect(tried.notes).toEqual(expect.arrayContaining(effects))
  expect(await state()).toEqual(before)
  const ran = await run()
  expect(ran.ran).toEqual(tried.ran)
  expect(ran.notes).toEqual(tried.notes)
})

test('CLI-R24 a table that is loaded anew is told with its rows and bytes, and one that leaves', async () => {
  app.write({
    'sync.ts': NOTE_APP['sync.ts'] ?? '',
    'migrations/0004_body.sql': `ALTER TABLE note ALTER body TYPE varchar(2000) USING body || ''`,
  })
  const before = await state()
  const tried = await attempt()
  expect(tried.notes).toEqual(
    expect.arrayContaining([
      expect.stringMatching(/^Table public\.note: replicas load it anew: about 500 rows, [5-9]\d\d kB in all/),
      'Table public.label leaves: replicas drop theirs.',
    ]),
  )
  expect(await state()).toEqual(before)
  expect((await run()).notes).toEqual(tried.notes)
})

test.each(['CREATE INDEX CONCURRENTLY body ON note (body)', 'VACUUM note'])(
  'MIG-15 CLI-R25 what cannot run in a transaction is refused with what to do: %s',
  async (statement) => {
    app.write({ 'migrations/0005_alone.sql': statement })
    const refused = { kind: 'misconfigured', message: expect.stringContaining('run it by hand with psql') }
    await expect(run()).rejects.toMatchObject(refused)
    await expect(attempt()).rejects.toMatchObject(refused)
  },
)

test('MIG-15 CLI-R25 a new label is used from the next file on, which a trial says and stops before', async () => {
  app.write({ 'migrations/0005_alone.sql': `CREATE TYPE mood AS ENUM ('sad'); CREATE TABLE day (mood mood)` })
  await run()
  app.write({
    'migrations/0006_label.sql': `ALTER TYPE mood ADD VALUE 'glad';\n--> statement-breakpoint\nINSERT INTO day VALUES ('glad')`,
  })
  const ownFile = { message: expect.stringContaining('into a file of its own before this one') }
  await expect(run()).rejects.toMatchObject(ownFile)
  await expect(attempt()).rejects.toMatchObject(ownFile)
  app.write({
    'migrations/0006_label.sql': `ALTER TYPE mood ADD VALUE 'glad'`,
    'migrations/0007_use.sql': `INSERT INTO day VALUES ('glad')`,
  })
  const before = await state()
  const tried = await attempt()
  expect(tried.ran).toEqual(['0006_label.sql'])
  expect(tried.notes.at(-1)).toContain('From 0007_use.sql on nothing was tried')
  expect(await state()).toEqual(before)
  expect((await run()).ran).toEqual(['0006_label.sql', '0007_use.sql'])
})
