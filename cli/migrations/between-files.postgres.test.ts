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

describe.each(captureCases)('several files in one migration, $decoder on $server', ({ decoder, server }) => {
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
    const update = { operation: 'update', schemaVersion: 2 }
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

  test('SCH-R2 what a deferred trigger writes counts as written by the migration', async () => {
    await harness.run(`CREATE TABLE source (id int);
CREATE FUNCTION pass() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN UPDATE item SET b = ''late''; RETURN NULL; END';
CREATE CONSTRAINT TRIGGER pass AFTER INSERT ON source DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION pass()`)
    const sync = defineSync({ tables: { item: synced('item', 'id', 'a', 'b', 'c') } })
    await migrate(sync, ['ALTER TABLE item ADD c text; INSERT INTO source VALUES (1)'])
    expect((await versions()).map(({ version, steps }) => [version, steps])).toEqual([[2, []]])
  })

  test('SCH-R7 an equal definition between the files is no version', async () => {
    const sync = defineSync({ tables: { item: synced('item', 'id', 'a', 'b') } })
    const outcome = await migrate(sync, ['CREATE TABLE other ()', 'CREATE TABLE another ()'])
    expect(outcome.definition).toMatchObject({ version: 1, changed: false })
  })
})
