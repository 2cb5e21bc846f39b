import { randomUUID } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { addColumns, addTable, MovingSchema } from '../testing/schema-oracle/moving-schema.ts'

describe('types and foreign keys that come with a migration', () => {
  const moving = new MovingSchema('system')
  const run = (statement: string) => moving.database.query(statement)
  const LOADS_NOTHING = 'Table public.task: replicas change theirs in place (nothing is downloaded).'
  const unchanged = <Same>(same: Same) => same

  const labelsOf = `SELECT string_agg(e.enumlabel, ' ' ORDER BY e.enumsortorder) AS labels
    FROM pg_enum e JOIN pg_type t ON t.oid = e.enumtypid WHERE t.typname = $1`

  it('MIG-07 SCH-R5 VAL-R10 an enum, a domain and a schema that come with their columns are sent, online and later, and loaded by nobody', async () => {
    await run(`INSERT INTO public.task (id, org, team, title) VALUES (gen_random_uuid(), 'a', 'a', 'before')`)
    const online = await moving.open('ann')
    const offline = await moving.open('ben')
    offline.replica.goOffline()
    const notes = await moving.migrate(
      [
        `CREATE SCHEMA "Kinds"`,
        `CREATE TYPE "Kinds"."Mood" AS ENUM ('calm', 'it''s \\ bad')`,
        `CREATE DOMAIN label AS varchar(20) DEFAULT 'none'`,
        `ALTER TABLE task ADD mood "Kinds"."Mood" DEFAULT 'calm', ADD moods "Kinds"."Mood"[], ADD label label, ADD span int4range`,
        `CREATE TABLE vote (id uuid PRIMARY KEY, org text NOT NULL, team text NOT NULL, mood "Kinds"."Mood" NOT NULL, label label)`,
        `CREATE INDEX calm ON vote (org) WHERE mood = 'calm'`,
      ],
      (before) =>
        addTable({
          name: 'vote',
          audience: 'org',
          priority: 4,
          columns: ['mood', 'label'].map((name) => ({ name, type: 'text', hidden: false })),
        })(addColumns('task', 'mood', 'moods', 'label', 'span')(before)),
    )
    expect(notes).toContain(LOADS_NOTHING)
    expect(notes).toContain('Table public.vote joins: replicas make it (nothing is downloaded).')
    await run(
      `INSERT INTO public.task VALUES (gen_random_uuid(), 'a', 'a', 'after', 1, 'open', 'it''s \\ bad', '{calm,"it''s \\\\ bad"}', 'own', '[1,5)')`,
    )
    await run(`INSERT INTO public.vote VALUES (gen_random_uuid(), 'a', 'a', 'calm', 'own')`)
    offline.replica.goOnline()
    for (const { replica, downloads } of [online, offline]) {
      await moving.expectEqual(replica, 'task')
      await moving.expectEqual(replica, 'vote')
      expect(downloads()).toEqual([])
    }
    const id = randomUUID()
    const made = await online.replica.transaction((tx) =>
      tx.query(`INSERT INTO vote (id, org, team, mood) VALUES ($1, 'a', 'a', 'it''s \\ bad')`, [id]),
    )
    await made.confirmed
    expect((await online.replica.db.query('SELECT label FROM vote WHERE id = $1', [id])).rows).toEqual([
      { label: 'none' },
    ])
    await moving.expectEqual(online.replica, 'vote')
  })

  it('MIG-07 SCH-R5 labels and a default that come later, a CHECK of the domain and another name are taken in place', async () => {
    const online = await moving.open('cy')
    const offline = await moving.open('dee')
    offline.replica.goOffline()
    await moving.migrate(
      [`ALTER TYPE "Kinds"."Mood" ADD VALUE 'glad' BEFORE 'calm'`, `ALTER TYPE "Kinds"."Mood" ADD VALUE 'last'`],
      unchanged,
    )
    await run(`UPDATE public.vote SET mood = 'glad' WHERE label = 'own'`)
    await moving.migrate(
      [
        `ALTER DOMAIN label SET DEFAULT 'later'`,
        `ALTER DOMAIN label ADD CONSTRAINT clean CHECK (VALUE <> 'dirty')`,
        `ALTER TYPE "Kinds"."Mood" RENAME TO feeling`,
        `ALTER TYPE "Kinds".feeling SET SCHEMA public`,
        `ALTER DOMAIN label RENAME TO tag`,
      ],
      unchanged,
    )
    offline.replica.goOnline()
    for (const { replica, downloads } of [online, offline]) {
      await moving.expectEqual(replica, 'vote')
      await moving.expectEqual(replica, 'task')
      expect(downloads()).toEqual([])
      const { rows } = await replica.db.query(labelsOf, ['feeling'])
      expect(rows).toEqual([{ labels: `glad calm it's \\ bad last` }])
      const made = `SELECT 1 FROM pg_indexes WHERE indexname = 'calm' AND indexdef LIKE '%''calm''::%feeling%'`
      expect((await replica.db.query(made)).rows).toHaveLength(1)
    }
    const id = randomUUID()
    const { replica } = online
    const made = await replica.transaction((tx) =>
      tx.query(`INSERT INTO vote (id, org, team, mood) VALUES ($1, 'a', 'a', 'last')`, [id]),
    )
    expect((await replica.db.query('SELECT label FROM vote WHERE id = $1', [id])).rows).toEqual([{ label: 'later' }])
    await made.confirmed
    // The domain's CHECK is the server's.
    const dirty = await replica.transaction((tx) => tx.query(`UPDATE vote SET label = 'dirty' WHERE id = $1`, [id]))
    await expect(dirty.confirmed).rejects.toMatchObject({ rejection: { kind: 'constraint' } })
    for (const failure of replica.failures) await failure.discard()
    await moving.expectEqual(replica, 'vote')
  })

  it('MIG-07 SCH-R3 a column of a domain that has a CHECK by then is loaded with its table, as the server rewrites that', async () => {
    const { replica, downloads } = await moving.open('eli')
    const notes = await moving.migrate([`ALTER TABLE vote ADD other tag`], addColumns('vote', 'other'))
    expect(notes.join('\n')).toMatch(/Table public\.vote: replicas load it anew/)
    expect(notes.join('\n')).not.toContain('public.task')
    await moving.expectEqual(replica, 'vote')
    expect(downloads().length).toBeGreaterThan(0)
    const inTime = [
      `CREATE DOMAIN size AS int`,
      `ALTER TABLE vote ADD size size`,
      `ALTER DOMAIN size ADD CHECK (VALUE > 0)`,
    ]
    await moving.migrate(inTime, addColumns('vote', 'size'))
    await moving.expectEqual(replica, 'vote')
    expect(downloads()).toEqual([])
  })

  it('MIG-19 VAL-R11 foreign keys come whose parents are unseen, not synced or dangling: replicas keep the children and write on', async () => {
    const { replica, downloads } = await moving.open('flo')
    const [shown, unseen, secret, dangling] = [randomUUID(), randomUUID(), randomUUID(), randomUUID()]
    await moving.migrate(
      [
        // A replica of org a sees projects whose team is a alone.
        `CREATE TABLE project (id uuid PRIMARY KEY, org text NOT NULL, team text NOT NULL, name text)`,
        `CREATE TABLE secret (id uuid PRIMARY KEY)`,
        `ALTER TABLE note ADD UNIQUE (id, org)`,
        `ALTER TABLE task ADD project uuid, ADD secret uuid, ADD note uuid`,
      ],
      (before) =>
        addTable({
          name: 'project',
          columns: [{ name: 'name', type: 'text', hidden: false }],
          audience: 'team',
          priority: 3,
        })(addColumns('task', 'project', 'secret', 'note')(before)),
    )
    await run(`INSERT INTO public.project VALUES ('${shown}', 'a', 'a', 'seen'), ('${unseen}', 'a', 'b', 'unseen')`)
    await run(`INSERT INTO public.secret VALUES ('${secret}')`)
    const task = (title: string, project: string | null, note: string | null) =>
      run(
        `INSERT INTO public.task (id, org, team, title, project, secret, note) VALUES (gen_random_uuid(), 'a', 'a', '${title}',
           ${project === null ? 'NULL' : `'${project}'`}, '${secret}', ${note === null ? 'NULL' : `'${note}'`})`,
      )
    await task('of the unseen', unseen, null)
    await task('of none', null, dangling)
    await moving.migrate(
      [
        `ALTER TABLE task ADD CONSTRAINT task_project FOREIGN KEY (project) REFERENCES project ON DELETE CASCADE`,
        `ALTER TABLE task ADD CONSTRAINT task_secret FOREIGN KEY (secret) REFERENCES secret ON DELETE SET NULL`,
        `ALTER TABLE task ADD CONSTRAINT task_note FOREIGN KEY (note, org) REFERENCES note (id, org) NOT VALID`,
      ],
      unchanged,
    )
    await task('of the unseen later', unseen, null)
    await moving.expectEqual(replica, 'task')
    expect(downloads()).toEqual([])
    const keys = `SELECT conname, convalidated FROM pg_constraint WHERE conrelid = 'public.task'::regclass AND contype = 'f'`
    expect((await replica.db.query(keys)).rows).toEqual([{ conname: 'task_note', convalidated: false }])

    // Children of what is not here are written here: new ones, those that are here, and the one whose parent is nowhere.
    const id = randomUUID()
    const insert = (project: string, note: string | null) =>
      replica.transaction((tx) =>
        tx.query(
          `INSERT INTO task (id, org, team, title, project, secret, note) VALUES ($1, 'a', 'a', 'mine', $2, $3, $4)`,
          [randomUUID(), project, secret, note],
        ),
      )
    await (await insert(unseen, null)).confirmed
    const edit = await replica.transaction((tx) => tx.query(`UPDATE task SET size = 7 WHERE title LIKE 'of %'`))
    await edit.confirmed
    // What is nowhere is refused by the server; a parent that every replica would see is looked for here already.
    await expect((await insert(id, null)).confirmed).rejects.toMatchObject({ rejection: { kind: 'constraint' } })
    for (const failure of replica.failures) await failure.discard()
    await expect(insert(shown, dangling)).rejects.toMatchObject({ code: '23503' })
    await moving.expectEqual(replica, 'task')
    // What the server does to children of the unseen comes as rows.
    await run(`DELETE FROM public.project WHERE id = '${unseen}'`)
    await run(`DELETE FROM public.secret`)
    await moving.expectEqual(replica, 'task')
    const { rows } = await replica.db.query<{ count: number }>(
      `SELECT count(*)::int AS count FROM task WHERE project = $1 OR secret IS NOT NULL`,
      [unseen],
    )
    expect(rows).toEqual([{ count: 0 }])
  })
})
