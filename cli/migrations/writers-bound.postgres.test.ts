import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { useEmptyDatabase } from '../../testing/cli/create-empty-database.ts'
import { makeApp, NOTE_APP } from '../../testing/cli/make-app.ts'
import { runCommand } from '../../testing/cli/run-command.ts'
import { servers } from '../../testing/postgres/servers.ts'
import { until } from '../../testing/system/until.ts'
import { type Database, openDatabase, withDatabase } from '../../workers/database/index.ts'
import { loadSync } from '../app/load-module.ts'
import { applyMigrations, type MigrationWatch } from './apply-migrations.ts'

const app = makeApp({ 'sync.ts': NOTE_APP['sync.ts'] ?? '', 'migrations/0000_none.sql': '-- nothing yet' })
const server = servers().embedded
const database = useEmptyDatabase(server)
afterAll(() => app.remove())

const open = () => openDatabase({ DATABASE_URL: database.url, DATABASE_PROXY: server.proxy }, { statementTimeoutMs: 0 })
const cancel = async (processId: string) => {
  await database.query('SELECT pg_cancel_backend($1::int)', [processId])
}

async function migrate(watch: MigrationWatch = {}) {
  const sync = await loadSync(join(app.folder, 'sync.ts'))
  return await withDatabase(
    { DATABASE_URL: database.url, DATABASE_PROXY: server.proxy },
    (one: Database) => applyMigrations(one, join(app.folder, 'migrations'), sync, undefined, watch),
    { statementTimeoutMs: 0 },
  )
}

test('CLI-R35 the plan is told before anything is locked: tables that are there, with lock, size, work and replicas', async () => {
  await database.query(`CREATE TABLE public.note (id uuid PRIMARY KEY, team text NOT NULL, body text);
    INSERT INTO public.note SELECT gen_random_uuid(), 't', repeat('x', 100) FROM generate_series(1, 1000); ANALYZE public.note`)
  const plans: (readonly string[])[] = []
  const onPlan = (lines: readonly string[]) => plans.push(lines)
  await migrate({ onPlan })
  expect(plans[0]).toEqual([
    expect.stringMatching(/^public\.note joins \(about 1000 rows, \d+ kB\): ACCESS EXCLUSIVE for a moment/),
  ])
  app.write({
    'migrations/0001_more.sql': `CREATE TABLE fresh (id int PRIMARY KEY);
      ALTER TABLE fresh ADD note uuid REFERENCES note;
      ALTER TABLE note ADD rank uuid DEFAULT gen_random_uuid(), ALTER team DROP NOT NULL;
      CREATE INDEX ON note (rank); DO $$ BEGIN NULL; END $$`,
  })
  await migrate({ onPlan })
  expect(plans[1]).toEqual([
    '0001_more.sql:',
    '  ALTER TABLE fresh ADD note uuid REFERENCES note',
    expect.stringMatching(
      /^ {4}public\.note .*: SHARE ROW EXCLUSIVE, writers wait; no row .*; replicas download nothing$/,
    ),
    '  ALTER TABLE note ADD rank uuid DEFAULT gen_random_uuid(), ALTER team DROP NOT NULL',
    expect.stringMatching(
      /ACCESS EXCLUSIVE, readers and writers wait; all rows are written anew unless .* kB of log; replicas load it anew where it is$/,
    ),
    '  CREATE INDEX ON note (rank)',
    expect.stringMatching(
      /public\.note .*: SHARE, writers wait; all rows are read, less than a second, about 24 kB of log/,
    ),
    '  DO $$ BEGIN NULL; END $$',
    '    what it locks and writes is not told by its text',
  ])
})

test('CLI-R36 a file that would keep writers waiting beyond the bound is taken back, and a writer that waited goes on', async () => {
  app.write({
    'migrations/0002_slow.sql':
      'SET search_path = public; ALTER TABLE note ADD slow int; CREATE TABLE slept AS SELECT pg_sleep(600)::text',
  })
  const writer = await open()
  try {
    const refused = migrate({ bound: { ms: 1_500, cancel } }).catch((error: unknown) => error)
    await until(async () => {
      const held = await database.query(
        `SELECT FROM pg_locks WHERE relation = 'public.note'::regclass AND mode = 'AccessExclusiveLock' AND granted`,
      )
      return held.length > 0
    })
    await writer.query(`UPDATE public.note SET body = 'through'`)
    expect(await refused).toMatchObject({
      kind: 'limit-exceeded',
      message: expect.stringMatching(
        /^0002_slow\.sql would keep everyone who writes table .*note waiting for longer than 1\.5 s, and nothing/,
      ),
    })
    const [row] = await database.query(
      `SELECT (SELECT count(*)::text FROM pg_attribute WHERE attrelid = 'public.note'::regclass AND attname = 'slow') AS columns,
         (SELECT count(*)::text FROM tidemark.app_migration WHERE name = '0002_slow.sql') AS files`,
    )
    expect(row).toEqual({ columns: '0', files: '0' })
  } finally {
    await writer.close()
  }
})

test('CLI-R36 what keeps nobody waiting takes as long as it takes: new tables, rows, what is locked for reading', async () => {
  app.write({
    'migrations/0002_slow.sql': `CREATE TABLE later (id int PRIMARY KEY); CREATE INDEX ON later (id); SELECT pg_sleep(2);
      UPDATE note SET body = 'mine'; LOCK TABLE note IN ROW SHARE MODE; SELECT pg_sleep(1); INSERT INTO later VALUES (1)`,
  })
  expect(await migrate({ bound: { ms: 1_500, cancel } })).toMatchObject({ ran: ['0002_slow.sql'] })
})

test('CLI-R36 what is tried before anybody waits alters nothing, also where a table is to keep its audience', async () => {
  await database.query(`CREATE TABLE public.part (id uuid PRIMARY KEY, note uuid REFERENCES public.note);
    INSERT INTO public.part SELECT gen_random_uuid(), id FROM public.note LIMIT 5`)
  const sync = NOTE_APP['sync.ts'] ?? ''
  app.write({
    'sync.ts': sync
      .replace(
        'export const sync',
        `const part = pgTable('part', { id: uuid('id').primaryKey(), note: uuid('note') })\nexport const sync`,
      )
      .replace('tables: {', 'tables: { part: table(part, { audience: { via: part.note, of: note } }),'),
  })
  const migrated = await runCommand(['migrate', app.folder], { DATABASE_URL: database.url })
  expect(migrated).toMatchObject({ code: 0, stderr: '' })
  expect(migrated.stdout).toMatch(/public\.part joins .*, a column tidemark_audience and triggers; its rows are filled/)
  expect(await database.query('SELECT DISTINCT tidemark_audience AS key FROM public.part')).toEqual([{ key: 't' }])
  // And without it again.
  app.write({ 'sync.ts': sync })
  expect(await runCommand(['migrate', app.folder], { DATABASE_URL: database.url })).toMatchObject({
    code: 0,
    stderr: '',
  })
})
