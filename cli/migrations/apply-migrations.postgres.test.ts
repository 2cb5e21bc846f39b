import { afterAll, expect, test } from 'vitest'
import { useEmptyDatabase } from '../../testing/cli/create-empty-database.ts'
import { makeApp, NOTE_APP } from '../../testing/cli/make-app.ts'
import { runCommand } from '../../testing/cli/run-command.ts'
import { servers } from '../../testing/postgres/servers.ts'

const app = makeApp()
const database = useEmptyDatabase(servers().embedded)
afterAll(() => app.remove())
const migrate = () => runCommand(['migrate', app.folder], { DATABASE_URL: database.url })
const names = async () =>
  (await database.query('SELECT name FROM tidemark.app_migration ORDER BY 1')).map((row) => row.name)

test('OPS-05 MIG-08 CLI-R5 an empty database, two migrations at once: one applies, the other finds nothing to do', async () => {
  const results = await Promise.all([migrate(), migrate()])
  expect(results.map((result) => [result.code, result.stderr])).toEqual([
    [0, ''],
    [0, ''],
  ])
  const [winner, other] = results.toSorted((a, b) => b.stdout.length - a.stdout.length)
  expect(winner?.stdout).toContain('Applied 0001_note.sql')
  expect(winner?.stdout).toContain('Sync definition: version 1')
  expect(other?.stdout).toContain('Migrations: nothing to apply.')
  expect(await names()).toContain('0001_note.sql')
  const [{ versions } = {}] = await database.query('SELECT count(*)::text AS versions FROM tidemark.sync_definition')
  expect(versions).toBe('1')
})

test('MIG-17 CLI-R3 again: nothing to apply, the definition unchanged', async () => {
  const result = await migrate()
  expect(result).toMatchObject({ code: 0, stderr: '' })
  expect(result.stdout).toContain('Migrations: nothing to apply.')
  expect(result.stdout).toContain('version 1')
  expect(result.stdout).toContain('unchanged')
})

test('CLI-R3 a file that fails leaves nothing behind, and those before it stay', async () => {
  app.write({
    'migrations/0002_good.sql': 'CREATE TABLE good ();',
    'migrations/0003_bad.sql': 'CREATE TABLE half ();\n--> statement-breakpoint\nCREATE TABLE half ();',
  })
  const result = await migrate()
  expect(result.code).toBe(1)
  expect(result.stderr).toContain(
    'Migration 0003_bad.sql, statement 2 of 2 failed and left nothing behind: relation "half" already exists',
  )
  const [found] = await database.query(
    `SELECT to_regclass('public.good')::text AS good, to_regclass('public.half')::text AS half`,
  )
  expect(found).toEqual({ good: 'public.good', half: null })
  app.write({ 'migrations/0003_bad.sql': 'CREATE TABLE half ();' })
  expect((await migrate()).code).toBe(0)
})

test('CLI-R3 the definition changes with the last file: refused together, applied together', async () => {
  const keyless = NOTE_APP['sync.ts']?.replace("'note', {", "'keyless', {")
  app.write({
    'sync.ts': keyless ?? '',
    'migrations/0004_keyless.sql': 'CREATE TABLE keyless (id uuid, team text NOT NULL, body text);',
  })
  const refused = await migrate()
  expect(refused.code).toBe(1)
  expect(refused.stderr).toMatch(/keyless.*primary key/i)
  expect(await database.query(`SELECT to_regclass('public.keyless')::text AS found`)).toEqual([{ found: null }])
  app.write({
    'migrations/0004_keyless.sql': 'CREATE TABLE keyless (id uuid PRIMARY KEY, team text NOT NULL, body text);',
  })
  const applied = await migrate()
  expect(applied.stdout).toContain('version 2')
  const rows = await database.query(
    `SELECT (SELECT xmin::text FROM tidemark.app_migration WHERE name = '0004_keyless.sql') AS file,
       (SELECT xmin::text FROM tidemark.sync_definition WHERE version = 2) AS definition`,
  )
  expect(rows[0]?.file).toBe(rows[0]?.definition)
})

test('MIG-16 CLI-R4 an edited file, a late one: reported, nothing applied', async () => {
  app.write({
    'migrations/0002_good.sql': 'CREATE TABLE good (edited int);',
    'migrations/0000_late.sql': 'CREATE TABLE late ();',
    'migrations/0005_next.sql': 'CREATE TABLE next ();',
  })
  const result = await migrate()
  expect(result.code).toBe(1)
  expect(result.stderr).toContain('Nothing was migrated.')
  expect(result.stderr).toContain('0002_good.sql was edited after it ran')
  expect(result.stderr).toContain('0000_late.sql has not run, but the later')
  expect(await names()).not.toContain('0005_next.sql')
})
