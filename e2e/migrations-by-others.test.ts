import { randomUUID } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { columnsOf, MovingSchema } from '../testing/schema-oracle/moving-schema.ts'
import { until } from '../testing/system/until.ts'

// Capture reads the embedded server by pgoutput, the distribution's by wal2json.
// What a decoder reads is tried with every decoder beside the capture, and these steps by both in the oracle.
describe.each(['system'] as const)('a schema that others alter, on the %s Postgres', (postgres) => {
  const moving = new MovingSchema(postgres)
  const run = (statement: string) => moving.database.query(statement)
  const insertNote = (id: string, body: string) =>
    run(`INSERT INTO public.note (id, org, team, body) VALUES ('${id}', 'a', 'a', '${body}')`)
  const captureOf = async () => {
    const health = await moving.system.health()
    return {
      status: health.status,
      said: health.checks.map(({ status, message }) => `${status} ${message}`).join('\n'),
    }
  }

  it('MIG-18 CAP-R37 CLI-R28 DDL by other hands halts at its commit and turns health red; adopting it loads that table alone', async () => {
    await run(`INSERT INTO public.task (id, org, team, title, size) VALUES (gen_random_uuid(), 'a', 'a', 'before', 1)`)
    const before = randomUUID()
    await insertNote(before, 'before')
    const { replica, downloads } = await moving.open('ann')
    const identity = `SELECT 'public.note'::regclass::oid::text AS oid, xmin::text AS made FROM public.note WHERE id = $1`
    const was = (await replica.db.query(identity, [before])).rows
    expect(was).toHaveLength(1)

    await run(`ALTER TABLE public.task RENAME title TO heading; ALTER TABLE public.task ALTER size TYPE text`)
    const after = randomUUID()
    await insertNote(after, 'after')
    await run(
      `INSERT INTO public.task (id, org, team, heading, size) VALUES (gen_random_uuid(), 'a', 'a', 'after', 'xl')`,
    )
    await until(async () => (await captureOf()).status === 'fail')
    expect((await captureOf()).said).toMatch(/fail .*Table public\.task .*(title|size).*tidemark migrat/s)
    // What came after that commit waits, and the replica stays readable as it was.
    const count = `SELECT count(*)::int AS count FROM public.note WHERE id = '${after}'`
    expect((await replica.db.query(count)).rows).toEqual([{ count: 0 }])
    expect((await replica.db.query(`SELECT title FROM task WHERE title = 'before'`)).rows).toHaveLength(1)

    // A write elsewhere goes on and is pushed; it is confirmed once capture goes on.
    const mine = await replica.transaction((tx) => tx.query(`UPDATE note SET weight = 9 WHERE id = $1`, [before]))
    const adopted = await moving.adopt(
      columnsOf('task', (columns) => columns.map((one) => (one.name === 'title' ? { ...one, name: 'heading' } : one))),
    )
    expect(adopted).toMatchObject({ leftOut: [], declared: true })
    expect(adopted?.notes.join('\n')).toMatch(/Table public\.task: replicas load it anew/)
    await mine.confirmed
    await moving.migrate([], (same) => same)
    await moving.expectEqual(replica, 'task', 'id, org, team, heading, size, state')
    await moving.expectEqual(replica, 'note')
    expect(downloads().length).toBeGreaterThan(0)
    // The table that nobody altered is the one that was there, and its rows as well.
    const oid = (await replica.db.query<{ oid: string }>(`SELECT 'public.note'::regclass::oid::text AS oid`)).rows
    expect(oid).toEqual(was.map((row) => ({ oid: (row as { oid: string }).oid })))
    await until(async () => (await captureOf()).status !== 'fail')
    expect(await moving.adopt((same) => same)).toBeNull()
  })

  it('MIG-20 CAP-R52 SCH-R12 SCH-R11 what the log shows the place of is replayed, and edits go on in the new names', async () => {
    const before = randomUUID()
    await insertNote(before, 'before')
    const { replica, downloads } = await moving.open('cy')
    replica.goOffline()
    const mine = await replica.transaction((tx) => tx.query(`UPDATE note SET body = 'mine' WHERE id = $1`, [before]))
    await insertNote(randomUUID(), 'old')
    await run(`ALTER TABLE public.note RENAME body TO said; ALTER TABLE public.note ADD COLUMN more integer DEFAULT 7`)
    await run(`UPDATE public.note SET said = said || ' and new' WHERE id <> '${before}'`)
    await moving.migrate(
      [],
      columnsOf('note', (columns) => columns.map((one) => (one.name === 'body' ? { ...one, name: 'said' } : one))),
    )
    await moving.migrate(
      [],
      columnsOf('note', (columns) => [...columns, { name: 'more', type: 'integer', hidden: false }]),
    )
    replica.goOnline()
    await mine.confirmed
    await moving.expectEqual(replica, 'note', 'id, org, team, said, weight, more')
    const said = `SELECT said, more FROM note WHERE id = $1`
    expect((await replica.db.query(said, [before])).rows).toEqual([{ said: 'mine', more: 7 }])
    expect(downloads()).toEqual([])
    await run(`ALTER TABLE public.note RENAME said TO body`)
    await moving.migrate(
      [],
      columnsOf('note', (columns) => columns.map((one) => (one.name === 'said' ? { ...one, name: 'body' } : one))),
    )
    await moving.expectEqual(replica, 'note', 'id, org, team, body, weight, more')
    expect(downloads()).toEqual([])
  })

  it('MIG-18 CLI-R28 a table that can no longer be synced is left out by adopting, and others go on', async () => {
    const { replica, downloads } = await moving.open('ben')
    await run('ALTER TABLE public.task DROP CONSTRAINT task_pkey')
    const id = randomUUID()
    await insertNote(id, 'later')
    await until(async () => (await captureOf()).status === 'fail')
    expect((await captureOf()).said).toMatch(/fail .*Table public\.task /s)
    expect(await moving.adopt((same) => same)).toMatchObject({ leftOut: ['public.task'] })
    await moving.expectEqual(replica, 'note')
    expect((await replica.db.query(`SELECT to_regclass('public.task')::text AS found`)).rows).toEqual([{ found: null }])
    expect(downloads()).toEqual([])
    await run('ALTER TABLE public.task ADD PRIMARY KEY (id)')
    await moving.migrate([], (same) => same)
    await moving.expectEqual(replica, 'task', 'id, org, team, heading, size, state')
  })
})
