import { randomUUID } from 'node:crypto'
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { applyMigrations } from '../cli/migrations/apply-migrations.ts'
import type { Replica } from '../client/index.ts'
import { openReplicaOn } from '../client/open-replica.ts'
import { openPreparedDatabase } from '../testing/replica/prepared-database.ts'
import { sync } from '../testing/schema-oracle/app/sync.ts'
import { type AppSchema, FIRST_SCHEMA, syncOf } from '../testing/schema-oracle/app-schema.ts'
import { type HttpGate, startHttpGate } from '../testing/system/http-gate.ts'
import { type System, startSystem } from '../testing/system/start-system.ts'
import { until } from '../testing/system/until.ts'
import { type Database, openDatabase } from '../workers/database/index.ts'

const nameOf = (file: number) => `${String(file).padStart(4, '0')}.sql`

const FOLDER = new URL('../testing/schema-oracle/app/migrations/', import.meta.url)

// Capture reads the embedded server by pgoutput, the distribution's by wal2json.
describe.each(['embedded', 'system'] as const)('a schema that moves, on the %s Postgres', (postgres) => {
  let folder: string
  let system: System
  let database: Database
  let schema: AppSchema = FIRST_SCHEMA
  let files = 0

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'tidemark-migrations-'))
    cpSync(fileURLToPath(FOLDER), folder, { recursive: true })
    system = await startSystem({
      app: { sync, syncModule: new URL('../testing/schema-oracle/app/sync.ts', import.meta.url), migrations: FOLDER },
      postgres,
    })
    database = await system.openDatabase()
  })
  afterAll(async () => {
    await database?.close()
    await system?.dispose()
    rmSync(folder, { recursive: true, force: true })
  })

  /** Runs a migration as `tidemark migrate` does; `change` says what the app then declares. */
  async function migrate(statements: readonly string[], change: (before: AppSchema) => AppSchema): Promise<string[]> {
    schema = change(schema)
    const file = join(folder, nameOf(++files))
    if (statements.length > 0) writeFileSync(file, statements.join(';\n--> statement-breakpoint\n'))
    const owner = await openDatabase(system.env)
    try {
      return [...(await applyMigrations(owner, folder, syncOf(schema))).notes]
    } finally {
      await owner.close()
    }
  }

  const columnsOf =
    (
      name: string,
      change: (columns: AppSchema['tables'][number]['columns']) => AppSchema['tables'][number]['columns'],
    ) =>
    (before: AppSchema): AppSchema => ({
      ...before,
      tables: before.tables.map((table) =>
        table.name === name ? { ...table, columns: change(table.columns) } : table,
      ),
    })
  const add = (table: string, name: string, type: string) =>
    columnsOf(table, (columns) => [...columns, { name, type, hidden: false }])

  async function open(user: string): Promise<{ replica: Replica<typeof sync>; gate: HttpGate }> {
    const gate = await startHttpGate(system.gate.port)
    onTestFinished(() => gate.dispose())
    const replica = await openPage(user, gate, { storage: 'memory://' })
    await replica.ready
    await replica.settled()
    return { replica, gate }
  }

  /** Opens what a page opens whose code was written over this migration. */
  async function openPage(user: string, { port }: HttpGate, page: { storage: string; migration?: string }) {
    const token = () => system.token({ userId: user, audiences: ['org:a'] })
    const { storage, ...knows } = page
    const options = { url: `http://127.0.0.1:${port}`, user, token, sync: { ...sync, ...knows }, storage }
    const replica = await openReplicaOn(options, openPreparedDatabase)
    onTestFinished(() => replica.close())
    return replica
  }

  async function expectEqual(replica: Replica<typeof sync>, table: string): Promise<void> {
    await replica.settled()
    const rows = `SELECT to_json(t)::text AS row FROM public.${table} t WHERE org = 'a' ORDER BY id`
    expect((await replica.db.query(rows)).rows).toEqual(await database.query(rows))
  }

  const insertTask = (title: string) =>
    database.query(`INSERT INTO public.task (id, org, team, title) VALUES (gen_random_uuid(), 'a', 'a', $1)`, [title])

  it('MIG-01 MIG-04 SCH-R8 columns with defaults of every kind come amid data, and only a volatile one is loaded', async () => {
    await insertTask('before')
    const { replica, gate } = await open('ann')
    const before = gate.requests.length
    await migrate([`ALTER TABLE task ADD COLUMN rank integer NOT NULL DEFAULT 7`], add('task', 'rank', 'integer'))
    await insertTask('between')
    await migrate(
      [`ALTER TABLE task ADD COLUMN made timestamptz NOT NULL DEFAULT now()`],
      add('task', 'made', 'timestamptz'),
    )
    await insertTask('after')
    await expectEqual(replica, 'task')
    const downloads = () => gate.requests.slice(before).filter((path) => path.startsWith('/sync/snapshot'))
    expect(downloads()).toEqual([])
    const notes = await migrate(
      [`ALTER TABLE task ADD COLUMN code uuid NOT NULL DEFAULT gen_random_uuid()`],
      add('task', 'code', 'uuid'),
    )
    expect(notes.join()).toContain('load')
    await expectEqual(replica, 'task')
    expect(downloads().length).toBeGreaterThan(0)
  })

  it('MIG-03 what a migration writes comes as rows, once', async () => {
    const { replica } = await open('ben')
    await migrate(
      [
        `ALTER TABLE task ADD COLUMN slug text`,
        `UPDATE task SET slug = lower(title)`,
        `ALTER TABLE task ALTER COLUMN slug SET NOT NULL`,
        `ALTER TABLE task ALTER COLUMN slug SET DEFAULT ''`,
      ],
      add('task', 'slug', 'text'),
    )
    await insertTask('later')
    await expectEqual(replica, 'task')
    const { rows } = await replica.db.query<{ count: number }>(
      `SELECT count(*)::int AS count FROM task WHERE slug = 'before'`,
    )
    expect(rows).toEqual([{ count: 1 }])
  })

  it('MIG-02 PSH-R26 edits made before a rename, on their way or not, are done under the new name', async () => {
    const { replica, gate } = await open('cy')
    const id = randomUUID()
    const seen = await replica.transaction((tx) =>
      tx.query(`INSERT INTO note (id, org, team, body) VALUES ($1, 'a', 'a', 'new')`, [id]),
    )
    await seen.confirmed
    // The edit leaves and its answer is lost, so that the same text is sent again after the rename.
    gate.refusePushes(true)
    const edit = await replica.transaction((tx) => tx.query(`UPDATE note SET body = 'mine' WHERE id = $1`, [id]))
    await until(async () => (await replica.mutation(edit.id ?? ''))?.status === 'sent')
    await migrate([`ALTER TABLE note RENAME COLUMN body TO words`, `ALTER TABLE note RENAME TO memo`], (before) => ({
      ...before,
      tables: before.tables.map((table) =>
        table.name === 'note'
          ? {
              ...table,
              name: 'memo',
              columns: table.columns.map((one) => (one.name === 'body' ? { ...one, name: 'words' } : one)),
            }
          : table,
      ),
    }))
    gate.refusePushes(false)
    await edit.confirmed
    await expectEqual(replica, 'memo')
    expect((await replica.db.query(`SELECT words FROM memo WHERE id = $1`, [id])).rows).toEqual([{ words: 'mine' }])
    expect(await database.query(`SELECT words FROM public.memo WHERE id = $1::text::uuid`, [id])).toEqual([
      { words: 'mine' },
    ])
  })

  it('MIG-09 MIG-06 a migration taken back, a hidden column and an index that only the server needs cost no download', async () => {
    const { replica, gate } = await open('dee')
    const before = gate.requests.length
    const start = schema
    await migrate([`ALTER TABLE task ADD COLUMN extra text DEFAULT 'x'`], add('task', 'extra', 'text'))
    await expectEqual(replica, 'task')
    await migrate([`ALTER TABLE task DROP COLUMN extra`], () => start)
    await migrate([`CREATE INDEX task_size ON task (size)`, `ALTER TABLE task ADD COLUMN secret text`], (is) => is)
    await insertTask('secret')
    await replica.settled()
    const { rows } = await replica.db.query(`SELECT * FROM task LIMIT 1`)
    expect(Object.keys(rows[0] ?? {})).not.toContain('extra')
    expect(Object.keys(rows[0] ?? {})).not.toContain('secret')
    const count = `SELECT count(*)::text AS count FROM public.task WHERE org = 'a'`
    expect((await replica.db.query(count)).rows).toEqual(await database.query(count))
    expect(gate.requests.slice(before).filter((path) => path.startsWith('/sync/snapshot'))).toEqual([])
  })

  it('MIG-13 tables that join, with rows and without, and one that leaves', async () => {
    const { replica } = await open('eli')
    const table = (name: string) => ({
      name,
      columns: [{ name: 'a', type: 'text', hidden: false }],
      audience: 'org' as const,
      priority: 3,
    })
    await migrate(
      [
        `CREATE TABLE empty (id uuid PRIMARY KEY, org text NOT NULL, team text NOT NULL, a text)`,
        `CREATE TABLE filled (id uuid PRIMARY KEY, org text NOT NULL, team text NOT NULL, a text)`,
        `INSERT INTO filled SELECT id, org, team, title FROM task`,
      ],
      (before) => ({ ...before, tables: [...before.tables, table('empty'), table('filled')] }),
    )
    await database.query(`INSERT INTO public.empty VALUES (gen_random_uuid(), 'a', 'a', 'first')`)
    await expectEqual(replica, 'empty')
    await expectEqual(replica, 'filled')
    await migrate([], (before) => ({ ...before, tables: before.tables.filter(({ name }) => name !== 'filled') }))
    await replica.settled()
    expect((await replica.db.query(`SELECT to_regclass('filled') AS gone`)).rows).toEqual([{ gone: null }])
    for (const [org, team] of [
      ['a', 'b'],
      ['b', 'a'],
    ])
      await database.query(`INSERT INTO public.empty VALUES (gen_random_uuid(), $1, $2, 'moves')`, [
        org ?? '',
        team ?? '',
      ])
    await expectEqual(replica, 'empty')
    await migrate([], (before) => ({
      ...before,
      tables: before.tables.map((one) => (one.name === 'empty' ? { ...one, audience: 'team' } : one)),
    }))
    await replica.settled()
    const { rows } = await replica.db.query(`SELECT org, team FROM empty ORDER BY org`)
    expect(rows).toEqual([
      { org: 'a', team: 'a' },
      { org: 'b', team: 'a' },
    ])
  })

  it('MIG-12 MIG-R7 a page from before a breaking migration keeps its work for the next page, and one that is ahead waits', async () => {
    const gate = await startHttpGate(system.gate.port)
    const storage = mkdtempSync(join(tmpdir(), 'tidemark-page-'))
    onTestFinished(async () => {
      await gate.dispose()
      rmSync(storage, { recursive: true, force: true })
    })
    await migrate([`ALTER TABLE memo ADD COLUMN old_name text`], add('memo', 'old_name', 'text'))
    const old = await openPage('fay', gate, { storage, migration: nameOf(files) })
    await old.ready
    await migrate([`ALTER TABLE memo ADD COLUMN more text`], add('memo', 'more', 'text'))
    await expectEqual(old, 'memo')
    gate.refusePushes(true)
    const id = randomUUID()
    await old.transaction((tx) =>
      tx.query(`INSERT INTO memo (id, org, team, words, old_name) VALUES ($1, 'a', 'a', 'kept', 'x')`, [id]),
    )
    const { readers, next } = { readers: await open('gus'), next: nameOf(files + 1) }
    const ahead = await openPage('hal', gate, { storage: 'memory://', migration: next })
    await until(async () => ahead.status.error?.message.includes(`${next}, which has not run here yet`) ?? false)
    await migrate(
      [`ALTER TABLE memo RENAME COLUMN old_name TO new_name`],
      columnsOf('memo', (columns) =>
        columns.map((one) => (one.name === 'old_name' ? { ...one, name: 'new_name' } : one)),
      ),
    )
    await until(async () => old.status.phase === 'refused')
    expect(old.status.error).toMatchObject({ kind: 'upgrade-required' })
    gate.refusePushes(false)
    // What it holds is what it knows.
    expect((await old.db.query(`SELECT old_name FROM memo WHERE id = $1`, [id])).rows).toEqual([{ old_name: 'x' }])
    await old.close()
    await ahead.ready
    const fresh = await openPage('fay', gate, { storage, migration: next })
    await fresh.ready
    await expectEqual(fresh, 'memo')
    await expectEqual(readers.replica, 'memo')
    expect(await database.query(`SELECT words, new_name FROM public.memo WHERE id = $1::text::uuid`, [id])).toEqual([
      { words: 'kept', new_name: 'x' },
    ])
  })
})
