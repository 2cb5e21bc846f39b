import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { addColumns as add, columnsOf, MovingSchema } from '../testing/schema-oracle/moving-schema.ts'
import { startHttpGate } from '../testing/system/http-gate.ts'
import { until } from '../testing/system/until.ts'

// Capture reads the embedded server by pgoutput, the distribution's by wal2json.
// What a decoder reads is tried with every decoder beside the capture, and these steps by both in the oracle.
describe.each(['embedded'] as const)('a schema that moves, on the %s Postgres', (postgres) => {
  const moving = new MovingSchema(postgres)
  const migrate: MovingSchema['migrate'] = (...migration) => moving.migrate(...migration)
  const open = (user: string) => moving.open(user)
  const expectEqual: MovingSchema['expectEqual'] = (...expected) => moving.expectEqual(...expected)

  const insertTask = (title: string) =>
    moving.database.query(`INSERT INTO public.task (id, org, team, title) VALUES (gen_random_uuid(), 'a', 'a', $1)`, [
      title,
    ])

  it('MIG-01 MIG-04 SCH-R8 columns with defaults of every kind come amid data, and only a volatile one is loaded', async () => {
    await insertTask('before')
    const { replica, gate } = await open('ann')
    const before = gate.requests.length
    await migrate([`ALTER TABLE task ADD COLUMN rank integer NOT NULL DEFAULT 7`], add('task', 'rank'))
    await insertTask('between')
    await migrate([`ALTER TABLE task ADD COLUMN made timestamptz NOT NULL DEFAULT now()`], add('task', 'made'))
    await insertTask('after')
    await expectEqual(replica, 'task')
    const downloads = () => gate.requests.slice(before).filter((path) => path.startsWith('/sync/snapshot'))
    expect(downloads()).toEqual([])
    const notes = await migrate(
      [`ALTER TABLE task ADD COLUMN code uuid NOT NULL DEFAULT gen_random_uuid()`],
      add('task', 'code'),
    )
    expect(notes.join()).toContain('load')
    await expectEqual(replica, 'task')
    expect(downloads().length).toBeGreaterThan(0)
  })

  it('MIG-03 SCH-R10 MIG-R2 what a migration writes comes as rows, once, and costs nothing else, here or away', async () => {
    const { replica, downloads } = await open('ben')
    const away = await open('bea')
    const edit = await away.replica.transaction((tx) =>
      tx.query(`UPDATE task SET title = 'mine' WHERE title = 'before'`),
    )
    await edit.confirmed
    // A first load may still be completed by what came while its snapshot was made.
    for (const opened of [replica, away.replica]) await opened.settled()
    downloads()
    away.downloads()
    away.replica.goOffline()
    const late = await away.replica.transaction((tx) =>
      tx.query(`INSERT INTO task (id, org, team, title) VALUES (gen_random_uuid(), 'a', 'a', 'offline')`),
    )
    await migrate(
      [
        `ALTER TABLE task ADD COLUMN slug text`,
        `UPDATE task SET slug = lower(title)`,
        `ALTER TABLE task ALTER COLUMN slug SET NOT NULL`,
        `ALTER TABLE task ALTER COLUMN slug SET DEFAULT ''`,
      ],
      add('task', 'slug'),
    )
    await migrate(
      [
        `CREATE TABLE detail (id uuid PRIMARY KEY REFERENCES task (id), org text NOT NULL, team text NOT NULL, slug text NOT NULL)`,
        `INSERT INTO detail SELECT id, org, team, slug FROM task; UPDATE task SET title = title || '!'`,
        `ALTER TABLE task DROP COLUMN slug`,
        `UPDATE task SET title = upper(title); UPDATE detail SET slug = slug || '?'`,
      ],
      (before) => {
        const without = columnsOf('task', (columns) => columns.filter(({ name }) => name !== 'slug'))(before)
        const columns = [{ name: 'slug', type: 'text', hidden: false }]
        return { ...without, tables: [...without.tables, { name: 'detail', columns, audience: 'org', priority: 3 }] }
      },
    )
    await insertTask('later')
    away.replica.goOnline()
    await late.confirmed
    for (const one of [replica, away.replica]) {
      await expectEqual(one, 'task')
      await expectEqual(one, 'detail')
      const { rows } = await one.db.query(`SELECT slug FROM detail JOIN task USING (id) WHERE title = 'MINE!'`)
      expect(rows).toEqual([{ slug: 'mine?' }])
    }
    expect([downloads(), away.downloads()]).toEqual([[], []])
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
    expect(await moving.database.query(`SELECT words FROM public.memo WHERE id = $1::text::uuid`, [id])).toEqual([
      { words: 'mine' },
    ])
  })

  it('MIG-09 MIG-06 a migration taken back, a hidden column and an index that only the server needs cost no download', async () => {
    const { replica, gate } = await open('dee')
    const before = gate.requests.length
    const start = moving.schema
    await migrate([`ALTER TABLE task ADD COLUMN extra text DEFAULT 'x'`], add('task', 'extra'))
    await expectEqual(replica, 'task')
    await migrate([`ALTER TABLE task DROP COLUMN extra`], () => start)
    await migrate([`CREATE INDEX task_size ON task (size)`, `ALTER TABLE task ADD COLUMN secret text`], (is) => is)
    await insertTask('secret')
    await replica.settled()
    const { rows } = await replica.db.query(`SELECT * FROM task LIMIT 1`)
    expect(Object.keys(rows[0] ?? {})).not.toContain('extra')
    expect(Object.keys(rows[0] ?? {})).not.toContain('secret')
    const count = `SELECT count(*)::text AS count FROM public.task WHERE org = 'a'`
    expect((await replica.db.query(count)).rows).toEqual(await moving.database.query(count))
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
    await moving.database.query(`INSERT INTO public.empty VALUES (gen_random_uuid(), 'a', 'a', 'first')`)
    await expectEqual(replica, 'empty')
    await expectEqual(replica, 'filled')
    await migrate([], (before) => ({ ...before, tables: before.tables.filter(({ name }) => name !== 'filled') }))
    await replica.settled()
    expect((await replica.db.query(`SELECT to_regclass('filled') AS gone`)).rows).toEqual([{ gone: null }])
    for (const [org, team] of [
      ['a', 'b'],
      ['b', 'a'],
    ])
      await moving.database.query(`INSERT INTO public.empty VALUES (gen_random_uuid(), $1, $2, 'moves')`, [
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
    const gate = await startHttpGate(moving.system.gate.port)
    const storage = mkdtempSync(join(tmpdir(), 'tidemark-page-'))
    onTestFinished(async () => {
      await gate.dispose()
      rmSync(storage, { recursive: true, force: true })
    })
    await migrate([`ALTER TABLE memo ADD COLUMN old_name text`], add('memo', 'old_name'))
    const old = await moving.openPage('fay', gate, { storage, migration: moving.fileName() })
    await old.ready
    await migrate([`ALTER TABLE memo ADD COLUMN more text`], add('memo', 'more'))
    await expectEqual(old, 'memo')
    gate.refusePushes(true)
    const id = randomUUID()
    await old.transaction((tx) =>
      tx.query(`INSERT INTO memo (id, org, team, words, old_name) VALUES ($1, 'a', 'a', 'kept', 'x')`, [id]),
    )
    const { readers, next } = { readers: await open('gus'), next: moving.fileName(1) }
    const ahead = await moving.openPage('hal', gate, { storage: 'memory://', migration: next })
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
    const fresh = await moving.openPage('fay', gate, { storage, migration: next })
    await fresh.ready
    await expectEqual(fresh, 'memo')
    await expectEqual(readers.replica, 'memo')
    expect(
      await moving.database.query(`SELECT words, new_name FROM public.memo WHERE id = $1::text::uuid`, [id]),
    ).toEqual([{ words: 'kept', new_name: 'x' }])
  })

  it('FLD-140 SCH-R13 MIG-R10 PSH-R29 what was written before a retype arrives as its expression makes it, sent or not', async () => {
    const [{ replica, gate }, away] = [await open('ivy'), await open('jo')]
    const [id, late] = [randomUUID(), randomUUID()]
    const insert = `INSERT INTO memo (id, org, team, words, weight) VALUES ($1, 'a', 'a', 'heavy', $2)`
    const made = await replica.transaction((tx) => tx.query(insert, [id, 4]))
    await made.confirmed
    await away.replica.settled()
    // Its answer is lost, so that the text from before is sent again after the retype.
    gate.refusePushes(true)
    const sent = await replica.transaction((tx) => tx.query(`UPDATE memo SET weight = 7 WHERE id = $1`, [id]))
    await until(async () => (await replica.mutation(sent.id ?? ''))?.status === 'sent')
    away.replica.goOffline()
    const unsent = await away.replica.transaction((tx) => tx.query(insert, [late, 5]))
    await migrate(
      [`ALTER TABLE memo ALTER COLUMN weight TYPE bigint USING weight * 100`],
      columnsOf('memo', (columns) => columns.map((one) => (one.name === 'weight' ? { ...one, type: 'bigint' } : one))),
    )
    gate.refusePushes(false)
    away.replica.goOnline()
    await Promise.all([sent.confirmed, unsent.confirmed])
    const weights = `SELECT weight::text FROM public.memo WHERE words = 'heavy' ORDER BY weight`
    expect(await moving.database.query(weights)).toEqual([{ weight: '500' }, { weight: '700' }])
    for (const one of [replica, away.replica]) await expectEqual(one, 'memo')
  })
})
