import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeEach, expect, test, vi } from 'vitest'
import { createEmptyDatabase } from '../../testing/cli/create-empty-database.ts'
import { makeApp, NOTE_APP } from '../../testing/cli/make-app.ts'
import { servers } from '../../testing/postgres/servers.ts'
import { runCleanup } from './run-cleanup.ts'
import { runMigrate } from './run-migrate.ts'

const journal = (...tags: string[]) =>
  JSON.stringify({ version: '7', dialect: 'postgresql', entries: tags.map((tag, idx) => ({ idx, tag, version: '7' })) })
const app = makeApp({
  ...NOTE_APP,
  'migrations/meta/_journal.json': journal('0001_note', '0002_rank', '0003_size'),
  'migrations/meta/0003_snapshot.json': '{}',
})
const migrations = join(app.folder, 'migrations')
const database = await createEmptyDatabase(servers().embedded)
let said: string[] = []
beforeEach(() => {
  said = []
  vi.spyOn(console, 'log').mockImplementation((text) => void said.push(text))
})
afterEach(() => void vi.restoreAllMocks())
afterAll(async () => {
  await database.drop()
  app.remove()
})

const clean = (name: string, ...switches: string[]) =>
  runCleanup({
    argument: name,
    values: { folder: app.folder, 'database-url': database.url },
    switches: new Set(switches),
  })

test('MIG-17 CLI-R31 what ran is refused, by whatever name, and stays', async () => {
  app.write({ 'migrations/meta/_journal.json': journal('0001_note') })
  await runMigrate({ argument: app.folder, values: { 'database-url': database.url }, switches: new Set() })
  for (const name of ['0001_note', '0001_note.sql'])
    await expect(clean(name)).rejects.toThrow(/0001_note\.sql ran in .* nothing was removed: take it back first/)
  expect(existsSync(join(migrations, '0001_note.sql'))).toBe(true)
})

test('MIG-17 CLI-R31 what has not run goes with all that belongs to it; a dry run says so before', async () => {
  app.write({
    'migrations/0002_rank.sql': 'ALTER TABLE note ADD rank int;',
    'migrations/0003_size.sql': 'ALTER TABLE note ADD size int;',
    'migrations/0003_size.down.sql': 'ALTER TABLE note DROP size;',
    'migrations/0003_sizes.sql': 'ALTER TABLE note ADD sizes int;',
    'migrations/meta/_journal.json': journal('0001_note', '0002_rank', '0003_size'),
  })
  await expect(clean('0002_rank')).rejects.toThrow('drizzle-kit made 0003_size on top of 0002_rank')
  const before = readdirSync(migrations, { recursive: true })
  expect(await clean('0003_size', 'dry-run')).toBe(0)
  expect(said.at(-1)).toBe('Nothing was removed.')
  expect(readdirSync(migrations, { recursive: true })).toEqual(before)
  expect(await clean('0003_size')).toBe(0)
  const left = ['0001_note.sql', '0002_rank.sql', '0003_sizes.sql', 'meta', 'meta/_journal.json']
  expect(readdirSync(migrations, { recursive: true }).sort()).toEqual(left)
  expect(JSON.parse(readFileSync(join(migrations, 'meta/_journal.json'), 'utf8'))).toEqual(
    JSON.parse(journal('0001_note', '0002_rank')),
  )
  expect(await clean('0002_rank.sql')).toBe(0)
})

test('MIG-17 CLI-R31 a class goes with its compiled copy', async () => {
  const text = 'export class Size1700000000000 { async up() {} async down() {} }'
  app.write({ 'migrations/1700000000000-Size.ts': text, 'migrations/1700000000000-Size.js': text })
  expect(await clean('1700000000000-Size.ts')).toBe(0)
  expect(readdirSync(migrations).filter((name) => name.startsWith('17'))).toEqual([])
})

test('MIG-17 CLI-R31 what there is not is said, with what may be meant', async () => {
  await expect(clean('sizes')).rejects.toThrow('There is no migration sizes in')
  await expect(clean('sizes')).rejects.toThrow('did you mean 0003_sizes.sql?')
  await expect(clean('nothing')).rejects.toThrow('tidemark migration:status lists them')
})
