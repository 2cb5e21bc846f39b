import { join } from 'node:path'
import { pgTable, text } from 'drizzle-orm/pg-core'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { defineSync, type Sync, type SyncTable, table } from '../../db/index.ts'
import { migrationsAnswerSchema, parsePgLsn } from '../../protocol/index.ts'
import { captureCases, serverNamed } from '../../testing/capture/capture-cases.ts'
import { type CaptureHarness, startCapture } from '../../testing/capture/capture-harness.ts'
import { type MadeApp, makeApp } from '../../testing/cli/make-app.ts'
import type { Database } from '../../workers/database/index.ts'
import { readMigrations } from '../../workers/replication/migrations.ts'
import { packageRoot } from '../package-root.ts'
import { applyMigrations } from './apply-migrations.ts'
import { readMigrationFiles } from './migration-file.ts'

const synced = (name: string, ...columns: string[]): SyncTable =>
  table(pgTable(name, Object.fromEntries(columns.map((column) => [column, text(column)]))), { audience: 'all' })
const SCHEMA = `CREATE TABLE item (id text PRIMARY KEY, a text, b text); INSERT INTO item VALUES ('1', 'a', 'b')`
const carried = (...names: string[]) => names.map((name) => ({ name, from: name }))

describe.each(captureCases)('several versions in one migration, $decoder on $server', ({ decoder, server }) => {
  let harness: CaptureHarness
  let app: MadeApp
  let database: Database
  beforeEach(async () => {
    app = makeApp({})
    harness = await startCapture(
      serverNamed(server),
      decoder,
      SCHEMA,
      defineSync({ tables: { item: synced('item', 'id', 'a', 'b') } }),
    )
    await harness.drain()
    database = await harness.database.open()
    for (const { name, hash } of readMigrationFiles(join(packageRoot(), 'migrations'), 'tidemark:'))
      await database.query('INSERT INTO tidemark.app_migration (name, hash) VALUES ($1, $2)', [name, hash])
  })
  afterEach(async () => {
    await database.close()
    await harness.close()
    app.remove()
  })

  /** Migrates by these files; `between` runs after each, on a connection of its own. */
  async function migrate(
    sync: Sync,
    files: readonly string[],
    between: (done: number) => Promise<void> = async () => {},
  ) {
    app.write(Object.fromEntries(files.map((file, index) => [`migrations/000${index + 1}.sql`, file])))
    let done = 0
    const stopping: Database = {
      processId: database.processId,
      usable: true,
      query: (...statement) => database.query(...statement),
      rows: (...statement) => database.rows(...statement),
      close: () => database.close(),
      reset: () => database.reset(),
      transaction: async (run, options) => {
        const result = await database.transaction(run, options)
        done += 1
        await between(done)
        return result
      },
    }
    const outcome = await applyMigrations(stopping, `${app.folder}/migrations`, sync)
    await harness.drain()
    return outcome
  }

  async function versions() {
    const [place] = await harness.query('SELECT id, head_lsn::text AS head FROM tidemark.epoch WHERE ended_at IS NULL')
    const captured = { epoch: place?.id ?? '', head: parsePgLsn(place?.head ?? ''), version: 1_000 }
    return migrationsAnswerSchema.parse(await readMigrations(harness.connection.query, captured, 1)).versions
  }

  const rows = async () =>
    (await harness.history()).flatMap(({ operation, table: id, schemaVersion, data }) =>
      operation === 'definition' ? [] : [{ operation, id, schemaVersion, data }],
    )

  test('SCH-R7 what other sessions write between the files is told by the version of its place, and nothing is loaded', async () => {
    const sync = defineSync({ tables: { page: synced('page', 'id', 'c', 'b', 'd'), label: synced('label', 'id') } })
    const outcome = await migrate(
      sync,
      [
        'ALTER TABLE item RENAME a TO c',
        `CREATE TABLE label (id text PRIMARY KEY); UPDATE item SET b = 'filled'`,
        'ALTER TABLE item RENAME TO page',
        `ALTER TABLE page ALTER b SET NOT NULL; ALTER TABLE page ADD d text DEFAULT 'd'`,
      ],
      async (done) => {
        if (done === 1) await harness.run(`INSERT INTO item VALUES ('2', 'c', 'b')`)
        if (done === 2) await harness.run(`INSERT INTO label VALUES ('x')`)
        if (done === 3) await harness.run(`UPDATE page SET c = 'e' WHERE id = '2'`)
      },
    )
    expect(outcome).toMatchObject({ definition: { version: 5, changed: true } })
    const item = { table: 'public.item', from: 'public.item' }
    const page = { table: 'public.page', from: 'public.page' }
    expect((await versions()).map(({ version, steps }) => [version, steps])).toEqual([
      [
        2,
        [
          {
            ...item,
            columns: [
              { name: 'id', from: 'id' },
              { name: 'c', from: 'a' },
              { name: 'b', from: 'b' },
            ],
          },
        ],
      ],
      [3, [{ table: 'public.label', from: null, columns: [] }]],
      [4, [{ table: 'public.page', from: 'public.item', columns: carried('id', 'c', 'b') }]],
      [5, [{ ...page, columns: [...carried('id', 'c', 'b'), { name: 'd', from: null, value: 'd' }] }]],
    ])
    const update = { operation: 'update', schemaVersion: 3 }
    expect(await rows()).toEqual([
      { operation: 'insert', id: 'public.item', schemaVersion: 2, data: { id: '2', c: 'c', b: 'b' } },
      { ...update, id: 'public.item', data: { b: 'filled' } },
      { ...update, id: 'public.item', data: { b: 'filled' } },
      { operation: 'insert', id: 'public.label', schemaVersion: 3, data: { id: 'x' } },
      { ...update, id: 'public.page', schemaVersion: 4, data: { c: 'e' } },
    ])
  })

  test('SCH-R7 columns join and leave file by file, and a backfill travels as rows', async () => {
    const sync = defineSync({ tables: { item: synced('item', 'id', 'b', 'c', 'e') } })
    const outcome = await migrate(sync, [
      'ALTER TABLE item ADD c text',
      `UPDATE item SET c = a || b`,
      `ALTER TABLE item DROP a; ALTER TABLE item ADD e text NOT NULL DEFAULT 'e'`,
    ])
    const item = { table: 'public.item', from: 'public.item' }
    expect((await versions()).map(({ version, steps }) => [version, steps])).toEqual([
      [2, [{ ...item, columns: [...carried('id', 'a', 'b'), { name: 'c', from: null }] }]],
      [3, [{ ...item, columns: [...carried('id', 'b', 'c'), { name: 'e', from: null, value: 'e' }] }]],
    ])
    expect(outcome.notes.join('\n')).not.toContain('load it anew')
    expect(await rows()).toEqual([{ operation: 'update', id: 'public.item', schemaVersion: 2, data: { c: 'ab' } }])
  })

  test('SCH-R7 where a table cannot be synced between the files, the definition waits, and the table is loaded', async () => {
    const sync = defineSync({ tables: { item: synced('item', 'id', 'a', 'b') } })
    const outcome = await migrate(sync, [
      'ALTER TABLE item DROP CONSTRAINT item_pkey',
      'ALTER TABLE item ADD PRIMARY KEY (a)',
    ])
    expect(outcome.notes[0]).toMatch(/could not follow 0001.sql.*primary key/)
    expect(
      (await versions()).map(({ version, steps, definition }) => [version, steps, definition.tables[0]?.since]),
    ).toEqual([[2, [], 2]])
  })

  test('MIG-03 SCH-R10 CAP-R51 rows written between the alterations of a file are told by the version of their place', async () => {
    const sync = defineSync({ tables: { item: synced('item', 'id', 'a', 'b', 'c') } })
    const outcome = await migrate(sync, [
      `UPDATE item SET a = 'before';
ALTER TABLE item ADD c text; UPDATE item SET c = b || ';'; -- and what follows
INSERT INTO item VALUES ('2', 'x', 'y', 'z'); ALTER TABLE item ALTER c SET NOT NULL; DELETE FROM item WHERE id = '2'`,
    ])
    const item = { table: 'public.item', from: 'public.item' }
    expect((await versions()).map(({ version, steps }) => [version, steps])).toEqual([
      [2, [{ ...item, columns: [...carried('id', 'a', 'b'), { name: 'c', from: null }] }]],
      [3, [{ ...item, columns: carried('id', 'a', 'b', 'c') }]],
    ])
    expect(outcome).toMatchObject({ definition: { version: 3, changed: true } })
    expect(outcome.notes.join('\n')).not.toContain('load it anew')
    const update = { operation: 'update', id: 'public.item' }
    expect(await rows()).toEqual([
      { ...update, schemaVersion: 1, data: { a: 'before' } },
      { ...update, schemaVersion: 2, data: { c: 'b;' } },
      { operation: 'insert', id: 'public.item', schemaVersion: 2, data: { id: '2', a: 'x', b: 'y', c: 'z' } },
      { operation: 'delete', id: 'public.item', schemaVersion: 3, data: null },
    ])
    const told = (await harness.history()).map(({ operation }) => operation)
    expect(told).toEqual(['update', 'definition', 'update', 'insert', 'definition', 'delete'])
  })

  test('MIG-03 SCH-R2 what a file altered twice is beyond doubt for the next one, whether capture looked meanwhile or not', async () => {
    const sync = defineSync({ tables: { item: synced('item', 'id', 'a', 'c') } })
    const outcome = await migrate(sync, [
      `ALTER TABLE item ADD c text; UPDATE item SET c = a; ALTER TABLE item ALTER c SET NOT NULL`,
      `ALTER TABLE item DROP COLUMN b`,
    ])
    const item = { table: 'public.item', from: 'public.item' }
    expect((await versions()).map(({ version, steps }) => [version, steps])).toEqual([
      [2, [{ ...item, columns: [...carried('id', 'a', 'b'), { name: 'c', from: null }] }]],
      [3, [{ ...item, columns: carried('id', 'a', 'b', 'c') }]],
      [4, [{ ...item, columns: carried('id', 'a', 'c') }]],
    ])
    expect(outcome.notes.join('\n')).not.toContain('load it anew')
  })

  test('CAP-R41 SCH-R2 rows that one statement told by another type of a column, and its type again, are in doubt still', async () => {
    const sync = defineSync({ tables: { item: synced('item', 'id', 'a', 'b') } })
    const migrated = migrate(sync, [
      `DO $$ BEGIN ALTER TABLE item ALTER b TYPE varchar; UPDATE item SET b = 'as varchar'; ALTER TABLE item ALTER b TYPE text; END $$`,
    ])
    await expect(migrated).rejects.toThrow('had column b of another type for a while')
  })

  test('MIG-03 SCH-R10 CAP-R51 a table is split: the new one is filled by its rows, and the old one loses a column', async () => {
    const sync = defineSync({ tables: { item: synced('item', 'id', 'a'), detail: synced('detail', 'id', 'b') } })
    const outcome = await migrate(sync, [
      `CREATE TABLE detail (id text PRIMARY KEY REFERENCES item (id), b text NOT NULL);
INSERT INTO detail SELECT id, b FROM item; UPDATE item SET b = NULL; ALTER TABLE item DROP COLUMN b;
UPDATE item SET a = 'split'; ALTER TABLE detail RENAME COLUMN b TO d; UPDATE detail SET d = 'e'; ALTER TABLE detail RENAME COLUMN d TO b`,
    ])
    expect(outcome.notes.join('\n')).not.toContain('load it anew')
    expect(
      (await versions()).map(({ version, steps }) => [version, steps.map(({ from, table: to }) => [from, to])]),
    ).toEqual([
      [2, [[null, 'public.detail']]],
      [3, [['public.item', 'public.item']]],
      [4, [['public.detail', 'public.detail']]],
      [5, [['public.detail', 'public.detail']]],
    ])
    expect(await rows()).toEqual([
      { operation: 'insert', id: 'public.detail', schemaVersion: 2, data: { id: '1', b: 'b' } },
      { operation: 'update', id: 'public.item', schemaVersion: 2, data: { b: null } },
      { operation: 'update', id: 'public.item', schemaVersion: 3, data: { a: 'split' } },
      { operation: 'update', id: 'public.detail', schemaVersion: 4, data: { d: 'e' } },
    ])
  })

  test('SCH-R10 a table that is renamed and filled, or emptied, in one file is told under both names', async () => {
    const sync = defineSync({ tables: { page: synced('page', 'id', 'a', 'b', 'c') } })
    const outcome = await migrate(sync, [
      `ALTER TABLE item RENAME TO page; INSERT INTO page VALUES ('2', 'c', 'd'); ALTER TABLE page ADD c text; TRUNCATE page; INSERT INTO page VALUES ('3')`,
    ])
    expect(outcome.notes.join('\n')).not.toContain('load it anew')
    // The last says alone that the file breaks with pages that do not know it.
    expect((await versions()).map(({ version, steps }) => [version, steps.length])).toEqual([
      [2, 1],
      [3, 1],
      [4, 0],
    ])
    expect((await rows()).map(({ operation, id, schemaVersion }) => [operation, id, schemaVersion])).toEqual([
      ['insert', 'public.page', 2],
      ['truncate', 'public.page', 3],
      ['insert', 'public.page', 3],
    ])
  })

  test('SCH-R10 where a table cannot be synced in between, or nobody can tell what altered from what wrote, it is loaded', async () => {
    const sync = defineSync({ tables: { item: synced('item', 'id', 'a', 'b', 'c') } })
    await migrate(sync, [
      `ALTER TABLE item DROP CONSTRAINT item_pkey; UPDATE item SET a = 'without a key'; ALTER TABLE item ADD PRIMARY KEY (id);
DO $$ BEGIN ALTER TABLE item ADD c text; UPDATE item SET c = 'at once'; END $$; UPDATE item SET b = 'after'`,
    ])
    const told = await versions()
    expect(told.map(({ steps, definition }) => [steps, definition.tables[0]?.since])).toEqual([[[], told[0]?.version]])
    expect((await rows()).at(-1)).toMatchObject({
      operation: 'update',
      schemaVersion: told[0]?.version,
      data: { b: 'after' },
    })
  })

  test('SCH-R10 settings and savepoints of the file stay, and what uses lastval() is not divided', async () => {
    await harness.run(`CREATE SCHEMA app; CREATE TABLE app.number (n serial, says text)`)
    const sync = defineSync({ tables: { item: synced('item', 'id', 'a', 'b', 'c', 'd') } })
    await migrate(sync, [
      `SET LOCAL search_path TO app, public; SET LOCAL "DateStyle" = 'German'; SAVEPOINT mine;
ALTER TABLE item ADD c text; INSERT INTO number (says) VALUES (current_setting('DateStyle')); RELEASE SAVEPOINT mine;
UPDATE item SET c = date '2026-11-30'::text`,
      `INSERT INTO app.number (says) VALUES ('y'); ALTER TABLE item ADD d text; UPDATE item SET d = lastval()::text`,
    ])
    expect(await harness.query(`SELECT says FROM app.number ORDER BY n`)).toEqual([
      { says: 'German, DMY' },
      { says: 'y' },
    ])
    expect(await harness.query(`SELECT c, d FROM item`)).toEqual([{ c: '30.11.2026', d: '2' }])
    expect((await versions()).map(({ version, steps }) => [version, steps.length])).toEqual([
      [2, 1],
      [3, 0],
    ])
  })

  test('SCH-R2 what a deferred trigger writes counts as written by the migration', async () => {
    await harness.run(`CREATE TABLE source (id int);
CREATE FUNCTION pass() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN UPDATE item SET b = ''late''; RETURN NULL; END';
CREATE CONSTRAINT TRIGGER pass AFTER INSERT ON source DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION pass()`)
    const sync = defineSync({ tables: { item: synced('item', 'id', 'a', 'b', 'c') } })
    await migrate(sync, ['INSERT INTO source VALUES (1); ALTER TABLE item ADD c text'])
    expect((await versions()).map(({ version, steps }) => [version, steps])).toEqual([[2, []]])
  })

  test('SCH-R7 an equal definition between the files is no version', async () => {
    const sync = defineSync({ tables: { item: synced('item', 'id', 'a', 'b') } })
    const outcome = await migrate(sync, ['CREATE TABLE other ()', 'CREATE TABLE another ()'])
    expect(outcome.definition).toMatchObject({ version: 1, changed: false })
  })
})
