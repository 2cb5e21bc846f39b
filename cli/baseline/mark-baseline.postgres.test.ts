import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { useEmptyConnection, useEmptyDatabase } from '../../testing/cli/create-empty-database.ts'
import { makeApp, NOTE_APP } from '../../testing/cli/make-app.ts'
import { runCommand } from '../../testing/cli/run-command.ts'
import { servers } from '../../testing/postgres/servers.ts'
import { loadSync } from '../app/load-module.ts'
import { applyMigrations } from '../migrations/apply-migrations.ts'
import { readStatus } from '../migrations/read-status.ts'
import { type BaselineChoices, markBaseline } from './mark-baseline.ts'

const CHECKED: BaselineChoices = { until: undefined, isTrial: false, isUnchecked: false }
const UNCHECKED = { ...CHECKED, isUnchecked: true }

describe('a folder of drizzle-kit', () => {
  const journal = (...tags: string[]) =>
    JSON.stringify({ entries: tags.map((tag, idx) => ({ idx, tag, when: 1_000 * (idx + 1) })) })
  const app = makeApp({
    'sync.ts': NOTE_APP['sync.ts'] ?? '',
    'migrations/0000_note.sql': `CREATE TYPE state AS ENUM ('a', 'b');\n--> statement-breakpoint
CREATE TABLE note (id uuid PRIMARY KEY, team text NOT NULL, body text, state state);`,
    'migrations/0001_part.sql': `CREATE TABLE part (id serial PRIMARY KEY, note uuid REFERENCES note, n int UNIQUE);`,
    'migrations/meta/_journal.json': journal('0000_note', '0001_part'),
  })
  afterAll(() => app.remove())
  const folder = join(app.folder, 'migrations')
  const database = useEmptyConnection(servers().embedded)
  const status = async () => readStatus(database, folder, await loadSync(join(app.folder, 'sync.ts')))

  test('CLI-R34 what the tool itself has not run is not marked, and nothing is written', async () => {
    await database.query(`SET search_path TO public; CREATE TYPE state AS ENUM ('a', 'b');
      CREATE TABLE note (id uuid PRIMARY KEY, team text NOT NULL, body text, state state);
      CREATE SCHEMA drizzle; CREATE TABLE drizzle.__drizzle_migrations (id serial PRIMARY KEY, hash text NOT NULL, created_at bigint);
      INSERT INTO drizzle.__drizzle_migrations (hash, created_at) VALUES ('x', 1000); SET search_path TO pg_catalog`)
    await expect(markBaseline(database, folder, CHECKED)).rejects.toMatchObject({
      kind: 'bad-input',
      message: expect.stringMatching(/0001_part\.sql has not run by the record of drizzle-kit.*\n.*--until <file>/),
    })
    expect(await database.query(`SELECT 1 FROM pg_namespace WHERE nspname = 'tidemark'`)).toEqual([])
  })

  test('CLI-R34 what the files make is compared with what is there', async () => {
    await database.query(`SET search_path TO public; CREATE TABLE part (id serial PRIMARY KEY, note uuid, n bigint);
      INSERT INTO drizzle.__drizzle_migrations (hash, created_at) VALUES ('y', 2000); SET search_path TO pg_catalog`)
    const refused = await markBaseline(database, folder, CHECKED).catch((error: Error) => error.message)
    expect(refused).toMatch(/^Nothing was marked\.\n/)
    expect(refused).toContain('Table part has column n as bigint, and not as integer.')
    expect(refused).toContain('Table part lacks FOREIGN KEY (note) REFERENCES public.note(id).')
    expect(refused).toContain('Table part lacks UNIQUE (n).')
    await database.query(
      `ALTER TABLE public.part ALTER n TYPE int, ADD UNIQUE (n), ADD FOREIGN KEY (note) REFERENCES public.note`,
    )
  })

  test('CLI-R34 they are marked once, and what comes after them runs', async () => {
    const tried = await markBaseline(database, folder, { ...UNCHECKED, isTrial: true })
    expect(tried.marked).toEqual(['0000_note.sql', '0001_part.sql'])
    expect(await database.query(`SELECT 1 FROM pg_namespace WHERE nspname = 'tidemark'`)).toEqual([])
    expect(await markBaseline(database, folder, { ...UNCHECKED, until: '0000_note.sql' })).toMatchObject({
      marked: ['0000_note.sql'],
      checked: null,
    })
    expect(await markBaseline(database, folder, CHECKED)).toMatchObject({
      own: [],
      marked: ['0001_part.sql'],
      checked: 'The database has what they make: 2 tables, with columns, keys and references.',
    })
    expect(await markBaseline(database, folder, CHECKED)).toMatchObject({ marked: [], notes: [] })
    expect((await status()).app).toMatchObject([{ state: 'baseline' }, { state: 'baseline', version: null }])

    app.write({
      'migrations/0002_rank.sql': 'ALTER TABLE part ADD rank int;',
      'migrations/meta/_journal.json': journal('0000_note', '0001_part', '0002_rank'),
    })
    const ran = await applyMigrations(database, folder, await loadSync(join(app.folder, 'sync.ts')))
    expect(ran).toMatchObject({ ran: ['0002_rank.sql'], definition: { version: 1, changed: true } })
    expect((await status()).app.map(({ state }) => state)).toEqual(['baseline', 'baseline', 'applied'])
    app.write({ 'migrations/0001_part.sql': 'CREATE TABLE other ();' })
    await expect(markBaseline(database, folder, CHECKED)).rejects.toThrow('0001_part.sql was edited after it ran')
  })
})

describe('files that could not run here', () => {
  const code = (name: string) =>
    `export class ${name} { async up(runner) { await runner.createTable({}) } async down(runner) { await runner.dropTable('x') } }`
  const app = makeApp({
    'sync.ts': NOTE_APP['sync.ts'] ?? '',
    'migrations/0001_note.sql':
      'BEGIN; CREATE TABLE note (id uuid PRIMARY KEY, team text NOT NULL, body text); COMMIT;',
    'migrations/1700000000000-Init.ts': code('Init1700000000000'),
    'migrations/1700000000001-More.ts': code('More1700000000001'),
  })
  afterAll(() => app.remove())
  const database = useEmptyDatabase(servers().system)
  const run = (command: string, ...more: string[]) =>
    runCommand([command, app.folder, '--database-url', database.url, ...more])

  test('CLI-R34 classes of TypeORM and files with transactions are marked by its record, and migrate goes on after them', async () => {
    await database.query(`SET search_path TO public; CREATE TABLE note (id uuid PRIMARY KEY, team text NOT NULL, body text);
      CREATE TABLE migrations (id serial PRIMARY KEY, "timestamp" bigint NOT NULL, name varchar NOT NULL);
      INSERT INTO migrations ("timestamp", name) VALUES (1700000000000, 'Init1700000000000')`)
    const refused = await run('migrate', '--baseline')
    expect(refused).toMatchObject({ code: 1 })
    expect(refused.stderr).toContain('1700000000001-More.ts has not run by the record of TypeORM (public.migrations).')
    const marked = await run('migration:run', '--baseline', '--until', '1700000000000-Init.ts')
    expect(marked).toMatchObject({ code: 0, stderr: '' })
    expect(marked.stdout).toContain('Marked 0001_note.sql as run before: nothing of it was run.')
    expect(marked.stdout).toMatch(/was not compared with what the files make, because .*0001_note\.sql holds BEGIN/)
    app.write({
      'migrations/1700000000001-More.ts': 'export class More { up(r) { return r.query("SELECT 1") } down() {} }',
    })
    const migrated = await run('migrate')
    expect(migrated).toMatchObject({ code: 0, stderr: '' })
    expect(migrated.stdout).toMatch(/Applied 1700000000001-More\.ts\n[\s\S]*version 1 .*now in force/)
    const told = await run('migration:status')
    expect(told.stdout).toMatch(/0001_note\.sql: baseline .* UTC, ran before Tidemark came/)
    expect(told.code).toBe(0)
  })

  test('CLI-R34 options of a baseline alone are refused without it, and a name that no file has', async () => {
    expect((await run('migrate', '--unchecked')).stderr).toContain('--unchecked says something of --baseline')
    expect((await run('migrate', '--baseline', '--until', 'no.sql')).stderr).toContain('There is no migration no.sql')
  })
})
