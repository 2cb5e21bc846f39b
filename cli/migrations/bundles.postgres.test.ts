import { pgTable, text } from 'drizzle-orm/pg-core'
import { afterAll, expect, test } from 'vitest'
import { defineSync, table } from '../../db/index.ts'
import { useEmptyConnection } from '../../testing/cli/create-empty-database.ts'
import { makeApp } from '../../testing/cli/make-app.ts'
import { servers } from '../../testing/postgres/servers.ts'
import { applyMigrations } from './apply-migrations.ts'
import { readStatus } from './read-status.ts'
import { revertMigration } from './revert-migration.ts'

const syncOf = (columns: readonly string[], migration?: string) =>
  defineSync({
    tables: {
      item: table(pgTable('item', Object.fromEntries(columns.map((name) => [name, text(name)]))), { audience: 'all' }),
    },
    ...(migration === undefined ? {} : { migration }),
  })

const app = makeApp({ 'migrations/0001.sql': 'CREATE TABLE item (id text PRIMARY KEY, a text, b text)' })
const folder = `${app.folder}/migrations`
const database = useEmptyConnection(servers().embedded)
afterAll(() => app.remove())

/** Adds a file, runs it, and answers the version in force and the pages that it is for. */
async function migrate(name: string, sql: string, columns: readonly string[]) {
  app.write({ [`migrations/${name}`]: sql })
  await applyMigrations(database, folder, syncOf(columns, name))
  return inForce()
}

async function inForce() {
  const [row] = await database.query(
    `SELECT version::text, (definition -> 'bundles')::text AS bundles FROM tidemark.sync_definition
     ORDER BY sync_definition.version DESC LIMIT 1`,
  )
  return { version: Number(row?.version), ...(JSON.parse(row?.bundles ?? 'null') as object) }
}

test('MIG-12 MIG-R7 what breaks with pages from before stands with each version, derived or as the file says', async () => {
  await applyMigrations(database, folder, syncOf(['id', 'a', 'b'], '0001.sql'))
  expect(await inForce()).toEqual({ version: 1, oldest: null, latest: '0001.sql' })
  expect(await migrate('0002.sql', 'ALTER TABLE item ADD c text', ['id', 'a', 'b', 'c'])).toEqual({
    version: 2,
    oldest: null,
    latest: '0002.sql',
  })
  expect(await migrate('0003.sql', 'ALTER TABLE item DROP a', ['id', 'b', 'c'])).toEqual({
    version: 3,
    oldest: '0003.sql',
    latest: '0003.sql',
  })
  const renamed = '-- tidemark: additive\nALTER TABLE item RENAME c TO d'
  expect(await migrate('0004.sql', renamed, ['id', 'b', 'd'])).toEqual({
    version: 4,
    oldest: '0003.sql',
    latest: '0004.sql',
  })
  // It changes nothing that replicas hold, and still ends the sessions of pages from before it.
  const silent = '-- tidemark: breaking\nSELECT 1'
  expect(await migrate('0005.sql', silent, ['id', 'b', 'd'])).toEqual({
    version: 5,
    oldest: '0005.sql',
    latest: '0005.sql',
  })
  // Nothing is to be told: no page is refused, and nothing is held otherwise.
  expect(await migrate('0006.sql', 'CREATE TABLE of_the_server (id integer)', ['id', 'b', 'd'])).toEqual({
    version: 5,
    oldest: '0005.sql',
    latest: '0005.sql',
  })
})

test('MIG-12 MIG-R7 taking a migration back takes its break back', async () => {
  app.write({ 'migrations/0006.down.sql': 'DROP TABLE of_the_server', 'migrations/0005.down.sql': 'SELECT 1' })
  await revertMigration(database, folder, syncOf(['id', 'b', 'd']))
  expect(await inForce()).toMatchObject({ version: 5, oldest: '0005.sql' })
  await revertMigration(database, folder, syncOf(['id', 'b', 'd']))
  expect(await inForce()).toEqual({ version: 6, oldest: '0003.sql', latest: '0004.sql' })
  await applyMigrations(database, folder, syncOf(['id', 'b', 'd'], '0006.sql'))
  expect(await inForce()).toMatchObject({ oldest: '0005.sql' })
})

test('MIG-12 MIG-R7 a module that names another migration than the last is refused before anything runs', async () => {
  app.write({ 'migrations/0007.sql': 'ALTER TABLE item ADD e text' })
  await expect(applyMigrations(database, folder, syncOf(['id', 'b', 'd'], '0006.sql'))).rejects.toMatchObject({
    kind: 'bad-input',
    message: expect.stringContaining("says migration: '0006.sql', but the last one is 0007.sql: name that."),
  })
  expect((await readStatus(database, folder, syncOf(['id', 'b', 'd']))).app.at(-1)?.state).toBe('pending')
  expect(() => syncOf(['id'], '0007')).toThrow('migration is "0007": the file name of the last migration')
})

test('MIG-12 MIG-R7 the word of a file holds where the definition can follow only with a later one', async () => {
  app.write({
    'migrations/0007.sql': '-- tidemark: breaking\nALTER TABLE item DROP CONSTRAINT item_pkey',
    'migrations/0008.sql': '-- tidemark: additive\nALTER TABLE item ADD PRIMARY KEY (id)',
  })
  const { notes } = await applyMigrations(database, folder, syncOf(['id', 'b', 'd'], '0008.sql'))
  expect(notes.join()).toContain('could not follow 0007.sql')
  expect(await inForce()).toMatchObject({ oldest: '0007.sql', latest: '0008.sql' })
})

test('MIG-10 MIG-R8 CLI-R26 status says where replicas are, as they said last', async () => {
  await database.query(
    `INSERT INTO tidemark.client_status (client_id, version, migration, waiting, fault, retries, told_at) VALUES
       ('a', 6, '0004.sql', 0, NULL, 0, now()), ('b', 6, '0002.sql', 1, 'no such type', 4, now()),
       ('c', 5, NULL, 0, NULL, 0, now()), ('d', 1, NULL, 0, NULL, 0, now() - interval '31 days')`,
  )
  const { replicas } = await readStatus(database, folder, syncOf(['id', 'b', 'd']))
  expect(replicas).toEqual([
    { version: 6, count: 2, waiting: 1, faults: 1, fault: 'no such type', retries: 4, migration: '0002.sql' },
    { version: 5, count: 1, waiting: 0, faults: 0, fault: null, retries: 0, migration: null },
  ])
})
