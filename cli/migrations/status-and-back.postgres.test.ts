import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { pgTable, text } from 'drizzle-orm/pg-core'
import { afterAll, expect, test } from 'vitest'
import { defineSync, table } from '../../db/index.ts'
import { useEmptyConnection } from '../../testing/cli/create-empty-database.ts'
import { makeApp } from '../../testing/cli/make-app.ts'
import { servers } from '../../testing/postgres/servers.ts'
import { adoptTables } from './adopt-tables.ts'
import { applyMigrations } from './apply-migrations.ts'
import { isUpToDate, readStatus } from './read-status.ts'
import { revertMigration } from './revert-migration.ts'

const item = (...columns: string[]) =>
  table(pgTable('item', Object.fromEntries(columns.map((name) => [name, text(name)]))), { audience: 'all' })
const SYNC = defineSync({ tables: { item: item('id', 'a') } })
const RANKED = defineSync({ tables: { item: item('id', 'a', 'rank') } })

const app = makeApp({
  'migrations/0001_item.sql': `CREATE TABLE item (id text PRIMARY KEY, a text); INSERT INTO item VALUES ('1', 'a')`,
})
const folder = `${app.folder}/migrations`
const database = useEmptyConnection(servers().embedded)
afterAll(() => app.remove())

const status = (sync = SYNC) => readStatus(database, folder, sync)
const versions = async () =>
  (
    await database.query(
      `SELECT d.version::text AS version, d.definition->>'steps' AS steps, xmin::text AS made FROM tidemark.sync_definition d ORDER BY d.version`,
    )
  ).map((row) => ({ version: Number(row.version), steps: JSON.parse(row.steps ?? '[]'), made: row.made }))

test('MIG-17 CLI-R26 an empty database is read without a change: all is pending', async () => {
  const read = await status()
  expect(read.app).toEqual([{ name: '0001_item.sql', state: 'pending', at: null, version: null }])
  expect(read.own.every(({ state }) => state === 'pending')).toBe(true)
  expect(isUpToDate(read)).toBe(false)
  expect(await database.query(`SELECT 1 FROM pg_namespace WHERE nspname = 'tidemark'`)).toEqual([])
})

test('MIG-17 CLI-R26 after a run nothing is to do; another declared definition is', async () => {
  await applyMigrations(database, folder, SYNC)
  const read = await status()
  expect(read).toMatchObject({ own: [], app: [{ state: 'applied' }], definition: { declared: true }, drifted: [] })
  expect(read.app[0]?.at).toMatch(/^\d{4}-\d\d-\d\d .* UTC$/)
  expect(isUpToDate(read)).toBe(true)
  const other = await status(RANKED)
  expect(other.definition?.declared).toBe(false)
  expect(isUpToDate(other)).toBe(false)
})

test('CLI-R27 without a file that takes it back, a message says which to write, and nothing changes', async () => {
  await expect(revertMigration(database, folder, SYNC)).rejects.toMatchObject({
    kind: 'bad-input',
    message: expect.stringMatching(/no 0001_item\.down\.sql beside it\. Write one/),
  })
  app.write({ 'migrations/0001_item.down.sql': '-- nothing yet\n--> statement-breakpoint\n' })
  await expect(revertMigration(database, folder, SYNC)).rejects.toMatchObject({
    message: expect.stringContaining('holds no statement'),
  })
  app.write({ 'migrations/0001_item.down.sql': 'DROP TABLE item' })
  await expect(revertMigration(database, folder, SYNC)).rejects.toMatchObject({
    kind: 'misconfigured',
    message: expect.stringContaining('nothing was changed'),
  })
  expect(isUpToDate(await status())).toBe(true)
})

test('MIG-09 MIG-17 CLI-R27 the last file is taken back with its record and the definition, which replicas take as steps', async () => {
  app.write({
    'migrations/0002_rank.sql': `ALTER TABLE item ADD rank text DEFAULT 'low'`,
    'migrations/0002_rank.down.sql': 'ALTER TABLE item DROP rank',
  })
  const ran = await applyMigrations(database, folder, RANKED)
  expect(ran.ran).toEqual(['0002_rank.sql'])
  const reverted = await revertMigration(database, folder, RANKED)
  expect(reverted).toMatchObject({ name: '0002_rank.sql', version: 3 })
  expect(reverted?.notes).toContain('Table public.item: replicas change theirs in place (nothing is downloaded).')
  const last = (await versions()).at(-1)
  expect(last?.steps).toEqual([
    {
      table: 'public.item',
      from: 'public.item',
      columns: [
        { name: 'id', from: 'id' },
        { name: 'a', from: 'a' },
      ],
    },
  ])
  const read = await status(RANKED)
  expect(read.app.map(({ state }) => state)).toEqual(['applied', 'pending'])
  expect(isUpToDate(await status(RANKED))).toBe(false)
  expect((await applyMigrations(database, folder, RANKED)).ran).toEqual(['0002_rank.sql'])
  expect(isUpToDate(await status(RANKED))).toBe(true)
})

test('MIG-08 CLI-R27 where the SQL fails, record and definition stay', async () => {
  app.write({
    'migrations/0002_rank.down.sql': 'ALTER TABLE item DROP rank;\n--> statement-breakpoint\nDROP TABLE absent',
  })
  const before = await versions()
  await expect(revertMigration(database, folder, RANKED)).rejects.toMatchObject({
    message: expect.stringContaining('0002_rank.down.sql, statement 2 of 2 failed and left nothing behind'),
  })
  expect(await versions()).toEqual(before)
  expect(isUpToDate(await status(RANKED))).toBe(true)
})

test('MIG-17 CLI-R28 where nothing drifted, adopting changes nothing', async () => {
  const before = await versions()
  expect(await adoptTables(database, folder, RANKED, false)).toBeNull()
  expect(await versions()).toEqual(before)
})

test('MIG-18 CLI-R26 CLI-R28 a table altered by other hands is told, tried and adopted: replicas load it anew', async () => {
  await database.query('ALTER TABLE public.item ALTER a TYPE varchar(40)')
  const read = await status(RANKED)
  expect(read.drifted).toEqual([
    { table: 'public.item', what: 'has column a as character varying(40), which was text' },
  ])
  expect(isUpToDate(read)).toBe(false)
  const before = await versions()
  const loads = expect.stringMatching(/^Table public\.item: replicas load it anew: /)
  const tried = await adoptTables(database, folder, RANKED, true)
  expect(tried).toMatchObject({ leftOut: [], declared: true, notes: expect.arrayContaining([loads]) })
  expect(await versions()).toEqual(before)
  const adopted = await adoptTables(database, folder, RANKED, false)
  expect(adopted).toMatchObject({ leftOut: [], declared: true, notes: expect.arrayContaining([loads]) })
  const after = await versions()
  expect(after.length).toBe(before.length + 1)
  expect(after.at(-1)?.steps).toEqual([])
  expect(isUpToDate(await status(RANKED))).toBe(true)
  expect(await adoptTables(database, folder, RANKED, false)).toBeNull()
})

test('CLI-R32 the record says what ran, after which, to which version and what takes it back; that does it where the files are gone', async () => {
  const added = 'ALTER TABLE item ADD COLUMN extra text'
  app.write({
    'migrations/0003_extra.sql': `${added};\n--> statement-breakpoint\nCOMMENT ON TABLE item IS 'more'`,
    'migrations/0003_extra.down.sql': 'ALTER TABLE item DROP COLUMN extra',
    'migrations/1700000000000-Note.ts': `
      export class Note {
        async up(runner) { await runner.query('COMMENT ON TABLE item IS NULL') }
        async down(runner) { await runner.query('INSERT INTO item (id, a) SELECT $1, $2', ['back', true]) }
      }`,
  })
  await applyMigrations(database, folder, RANKED)
  const [extra, note] = await database.query(
    `SELECT name, after, version::text, up::text, down::text FROM tidemark.app_migration WHERE after >= '0002' ORDER BY name`,
  )
  const { version } = (await status(RANKED)).definition ?? { version: 0 }
  expect(extra).toMatchObject({ name: '0003_extra.sql', after: '0002_rank.sql', version: String(version) })
  expect(JSON.parse(extra?.up ?? '')).toMatchObject({ statements: [{ text: `${added};` }, { parameters: [] }] })
  expect(note).toMatchObject({ name: '1700000000000-Note.ts', after: '0003_extra.sql', version: String(version) })
  for (const name of ['0003_extra.sql', '0003_extra.down.sql', '1700000000000-Note.ts']) rmSync(join(folder, name))
  expect((await status(RANKED)).app.at(-1)).toMatchObject({ name: '1700000000000-Note.ts', state: 'missing', version })
  expect(await revertMigration(database, folder, RANKED)).toMatchObject({ name: '1700000000000-Note.ts' })
  expect(await database.query('SELECT a FROM public.item WHERE id = $1', ['back'])).toEqual([{ a: 'true' }])
  expect(await revertMigration(database, folder, RANKED)).toMatchObject({ name: '0003_extra.sql' })
  const left = await database.query(
    `SELECT attname::text FROM pg_attribute WHERE attrelid = 'public.item'::regclass AND attname = 'extra'`,
  )
  expect(left).toEqual([])
})

test('MIG-16 CLI-R26 an edited file, a missing one and one out of order are each told', async () => {
  app.write({ 'migrations/0000_late.sql': 'SELECT 1', 'migrations/0001_item.sql': 'SELECT 1' })
  await database.query(`INSERT INTO tidemark.app_migration (name, hash) VALUES ('0003_gone.sql', '')`)
  const read = await status(RANKED)
  expect(read.app.map(({ name, state }) => [name, state])).toEqual([
    ['0000_late.sql', 'late'],
    ['0001_item.sql', 'edited'],
    ['0002_rank.sql', 'applied'],
    ['0003_gone.sql', 'missing'],
  ])
})
