import { sql } from 'drizzle-orm'
import { integer, pgTable, text, timestamp } from 'drizzle-orm/pg-core'
import { beforeEach, describe, expect, test } from 'vitest'
import { comment, issue, PATH_ROWS, sync as pathSync, project } from '../../testing/audiences/path-app.ts'
import { PATH_SCHEMA } from '../../testing/audiences/path-schema.ts'
import { servers } from '../../testing/postgres/servers.ts'
import { useConnection, useTestDatabase } from '../../testing/postgres/use-test-database.ts'
import { until } from '../../testing/system/until.ts'
import type { Database } from '../../workers/database/index.ts'
import { runDoctor } from '../../workers/health/index.ts'
import { defineSync, type Sync, table } from '../define-sync.ts'
import { applyDefinition } from './apply-definition.ts'
import { declaredTables } from './declared-table.ts'
import { sampleStrays } from './find-strays.ts'
import { prepareAudiences } from './prepare-audiences.ts'

/** One database of one app goes through everything that keeps audiences, which is why this is one file. */
describe('audiences that Tidemark keeps', () => {
  const own = useTestDatabase(servers().embedded)
  const database = useConnection(own)
  const other = useConnection(own)

  const apply = (sync: Sync = pathSync) => database.transaction(({ query }) => applyDefinition(query, sync))
  /** The audience of each row of a table, by its key. */
  const audiences = async (name: string) => {
    const rows = await database.query(`SELECT id::text, tidemark_audience AS audience FROM public.${name} ORDER BY id`)
    return Object.fromEntries(rows.map(({ id, audience }) => [id, audience]))
  }
  const begin = () => own.run(`DROP SCHEMA public CASCADE; CREATE SCHEMA public; ${PATH_SCHEMA}; ${PATH_ROWS}`)
  beforeEach(begin)

  test('AUD-R1 AUD-R2 FLD-144 rows that were there get the audience of their path, those that come too', async () => {
    const { definition, notes } = await apply()
    expect(notes.join()).toContain('Column tidemark_audience of "public"."comment" keeps the audience of its rows.')
    expect(definition.tables.map(({ name, audience }) => [name, audience])).toContainEqual([
      'comment',
      { column: 'tidemark_audience', prefix: 'org' },
    ])
    expect(await audiences('issue')).toEqual({ 11: 'a', 12: null, 21: 'b', 31: null, 41: null })
    expect(await audiences('comment')).toEqual({ 111: 'a', 121: null, 211: 'b', 311: null, 411: null, 511: null })
    expect(await audiences('page')).toEqual({ 1: 'a', 2: null, 3: 'b' })
    await own.run(`INSERT INTO comment VALUES (112, 11, 'new'), (122, 12, 'new')`)
    await own.run(
      `UPDATE comment SET issue_id = 21 WHERE id = 111; UPDATE comment SET tidemark_audience = NULL WHERE id = 211`,
    )
    expect(await audiences('comment')).toMatchObject({ 111: 'b', 112: 'a', 122: null, 211: 'b' })
    await expect(own.run(`UPDATE comment SET tidemark_audience = 'b' WHERE id = 112`)).rejects.toThrow('23503')
    expect(await apply()).toMatchObject({ changed: false, notes: [] })
  })

  test('AUD-R2 FLD-145 rows move with their parent, from and to nobody, and with their own condition', async () => {
    await apply()
    await own.run(`UPDATE project SET org = 'c' WHERE id = 1`)
    expect(await audiences('comment')).toMatchObject({ 111: 'c', 121: null })
    await own.run(`UPDATE project SET org = NULL WHERE id = 1; UPDATE project SET org = 'd' WHERE id = 3`)
    expect(await audiences('issue')).toMatchObject({ 11: null, 12: null, 31: 'd' })
    expect(await audiences('comment')).toMatchObject({ 111: null, 121: null, 311: 'd' })
    await own.run(
      `UPDATE project SET org = 'a' WHERE id = 1; UPDATE issue SET deleted_at = NULL WHERE id = 12; UPDATE issue SET deleted_at = now() WHERE id = 11`,
    )
    expect(await audiences('issue')).toMatchObject({ 11: null, 12: 'a' })
    expect(await audiences('comment')).toMatchObject({ 111: null, 121: 'a' })
    await own.run(
      `UPDATE page SET state = 'draft' WHERE id = 1; UPDATE page SET state = 'public', org = 'z' WHERE id = 2`,
    )
    expect(await audiences('page')).toMatchObject({ 1: null, 2: 'z' })
    await own.run(`DELETE FROM issue WHERE id = 21; DELETE FROM project WHERE id = 3`)
    expect(await audiences('comment')).toMatchObject({ 211: null, 311: null })
  })

  test('AUD-R2 they move too where foreign keys and plain triggers do not act', async () => {
    await apply()
    await database.transaction(async ({ query }) => {
      await query(`SET LOCAL session_replication_role = replica`)
      await query(`UPDATE public.project SET org = 'c' WHERE id = 1`)
      await query(`UPDATE public.comment SET tidemark_audience = 'stolen' WHERE id = 211`)
      await query(`INSERT INTO public.comment VALUES (112, 11, 'new')`)
    })
    expect(await audiences('comment')).toMatchObject({ 111: 'c', 112: 'c', 211: 'b' })
  })

  /** Waits until a statement of the other connection waits for a lock. */
  const untilBlocked = () =>
    until(async () => {
      const [row] = await database.query(
        `SELECT count(*)::text AS waiting FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
      )
      return row?.waiting === '1'
    })
  const open = async (isolation: string, run: (query: Database['query']) => Promise<unknown>) => {
    await other.query(`BEGIN ISOLATION LEVEL ${isolation}`)
    await other.query('SELECT 1 FROM public.project LIMIT 1')
    return await run(other.query)
  }
  const end = (query: Database['query'], failed: unknown) => query(failed ? 'ROLLBACK' : 'COMMIT')

  describe.each(['READ COMMITTED', 'REPEATABLE READ'])('between two transactions, %s', (isolation) => {
    test('AUD-R3 FLD-146 a child that comes while its parent moves never stays with those who lost it', async () => {
      await apply()
      await database.query('BEGIN')
      await database.query(`UPDATE public.issue SET project_id = 2 WHERE id = 11`)
      const inserted = open(isolation, (query) => query(`INSERT INTO public.comment VALUES (112, 11, 'late')`)).then(
        () => null,
        (error: unknown) => error,
      )
      await untilBlocked()
      await database.query('COMMIT')
      const error = await inserted
      await end(other.query, error)
      if (isolation === 'READ COMMITTED') expect(error).toBeNull()
      else expect(String(error)).toContain('40001')
      expect(await audiences('comment')).toMatchObject({ 111: 'b', ...(error ? {} : { 112: 'b' }) })
    })

    test('AUD-R3 a parent that moves while a child comes takes it along', async () => {
      await apply()
      const moved = (async () => {
        await other.query(`BEGIN ISOLATION LEVEL ${isolation}`)
        await other.query('SELECT 1 FROM public.project LIMIT 1')
        await database.query('BEGIN')
        await database.query(`INSERT INTO public.comment VALUES (112, 11, 'early')`)
        return await other.query(`UPDATE public.project SET org = 'c' WHERE id = 1`).then(
          () => null,
          (error: unknown) => error,
        )
      })()
      await untilBlocked()
      await database.query('COMMIT')
      const error = await moved
      await end(other.query, error)
      if (isolation === 'READ COMMITTED') expect(error).toBeNull()
      else expect(String(error)).toContain('40001')
      const is = error ? 'a' : 'c'
      expect(await audiences('comment')).toMatchObject({ 111: is, 112: is })
    })
  })

  test('AUD-R3 children that come at once, each counted in the parent by a trigger, do not wait for each other in a circle', async () => {
    await own.run(`
      ALTER TABLE issue ADD COLUMN comments int NOT NULL DEFAULT 0;
      CREATE FUNCTION public.count_comment() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN UPDATE public.issue SET comments = comments + 1 WHERE id = NEW.issue_id; RETURN NEW; END $$;
      CREATE TRIGGER counted AFTER INSERT ON comment FOR EACH ROW EXECUTE FUNCTION public.count_comment()`)
    await apply()
    await database.query('BEGIN')
    await database.query(`INSERT INTO public.comment VALUES (112, 11, 'one')`)
    const second = other.query(`INSERT INTO public.comment VALUES (113, 11, 'two')`)
    await database.query('COMMIT')
    await second
    expect((await database.query('SELECT comments::text FROM public.issue WHERE id = 11'))[0]?.comments).toBe('2')
  })

  test('AUD-R8 FLD-144 large tables are filled in batches before, which may end anywhere, and the definition then finds them done', async () => {
    await own.run(
      `INSERT INTO issue SELECT n, 1, 'many', NULL FROM generate_series(1000, 1040) n; INSERT INTO comment SELECT n, n, 'many' FROM generate_series(1000, 1040) n`,
    )
    let left = 6
    const inTransaction = <Result>(run: (query: Database['query']) => Promise<Result>) => {
      left -= 1
      if (left < 0) throw new Error('killed')
      return database.transaction(({ query }) => run(query))
    }
    const prepare = () =>
      prepareAudiences({ query: database.query, inTransaction, manyRows: 20, batchRows: 10 }, declaredTables(pathSync))
    await expect(prepare()).rejects.toThrow('killed')
    await own.run(`UPDATE project SET org = 'c' WHERE id = 1; INSERT INTO comment VALUES (2000, 1040, 'meanwhile')`)
    left = 1_000
    expect(await prepare()).toEqual(['"public"."issue"', '"public"."comment"'])
    const written = () => database.query(`SELECT sum(xmin::text::bigint)::text AS sum FROM public.comment`)
    const before = await written()
    expect(await audiences('comment')).toMatchObject({ 1000: 'c', 1040: 'c', 2000: 'c', 121: null, 211: 'b' })
    const { notes } = await apply()
    expect(notes.join()).not.toContain('"comment" keeps')
    expect(await written()).toEqual(before)
    expect(await prepare()).toEqual([])
  })

  test('AUD-R5 doctor compares children with their parents, and names what to do', async () => {
    await apply()
    const found = async () =>
      (await runDoctor(database.query, { sync: pathSync })).filter(({ name }) => name.startsWith('kept-audience'))
    expect((await found()).map(({ status, message }) => message || status)).toEqual(['ok', 'ok', 'ok'])
    await own.run(
      `ALTER TABLE comment DISABLE TRIGGER "~tidemark_audience"; INSERT INTO comment VALUES (112, 11, 'unkept')`,
    )
    expect((await found()).find(({ status }) => status === 'fail')?.message).toContain('run `tidemark migrate`')
    await own.run(`ALTER TABLE comment ENABLE ALWAYS TRIGGER "~tidemark_audience"`)
    const { definition } = await apply()
    expect(await sampleStrays(database.query, definition.tables)).toEqual(['public.comment'])
    const [stray] = (await found()).filter(({ status }) => status === 'fail')
    expect(stray).toMatchObject({ name: 'kept-audience public.comment' })
    await own.run(/COMMENT ON COLUMN \S+ IS NULL/.exec(stray?.message ?? '')?.[0] ?? '')
    await apply()
    expect((await found()).map(({ status, message }) => message || status)).toEqual(['ok', 'ok', 'ok'])
  })

  const faultOf = async (sync: Sync) =>
    await apply(sync).then(
      () => '',
      (error: unknown) => String((error as Error).message),
    )
  const with_ = (tables: Sync['tables']) => defineSync({ tables })
  const ofProject = table(project, { audience: { column: project.org, prefix: 'org' } })
  const stranger = pgTable('stranger', { id: integer('id').primaryKey(), projectId: integer('project_id') })

  test.each([
    ['is volatile', sql`${issue.deletedAt} > now()`, /when.*IMMUTABLE/],
    ['reads other rows', sql`${issue.id} IN (SELECT 1)`, /when.*subquery/],
    ['does not exist', sql.raw('gone IS NULL'), /when.*gone.*does not exist/],
  ])('AUD-R4 FLD-149 a condition that %s is refused, and nothing is changed', async (_, when, said) => {
    const tables = {
      project: ofProject,
      issue: table(issue, { audience: { via: issue.projectId, of: project }, when }),
    }
    expect(await faultOf(with_(tables))).toMatch(said)
    expect(
      await database.query(
        `SELECT 1 FROM pg_attribute WHERE attrelid = 'public.issue'::regclass AND attname = 'tidemark_audience'`,
      ),
    ).toEqual([])
  })

  test('AUD-R4 a condition over a generated column is refused', async () => {
    await own.run('ALTER TABLE issue ADD COLUMN open boolean GENERATED ALWAYS AS (deleted_at IS NULL) STORED')
    const tables = {
      project: ofProject,
      issue: table(issue, { audience: { via: issue.projectId, of: project }, when: sql`open` }),
    }
    expect(await faultOf(with_(tables))).toMatch(/`when` over open, which is generated/)
  })

  test('AUD-R4 an audience that a generated column names is refused where it is kept', async () => {
    await own.run('ALTER TABLE page ADD COLUMN team text GENERATED ALWAYS AS (org) STORED')
    const page = pgTable('page', {
      id: integer('id').primaryKey(),
      org: text('org'),
      team: text('team'),
      state: text('state'),
    })
    const audience = { column: page.team, prefix: 'org' }
    const tables = { page: table(page, { audience, when: sql`${page.state} = 'public'` }) }
    expect(await faultOf(with_(tables))).toMatch(/public\.page takes its audience from column team, which is generated/)
  })

  test('AUD-R1 a parent without foreign key, a column of the name and partitions are each refused in one sentence', async () => {
    await own.run('CREATE TABLE stranger (id int PRIMARY KEY, project_id int)')
    const viaProject = {
      project: ofProject,
      stranger: table(stranger, { audience: { via: stranger.projectId, of: project } }),
    }
    expect(await faultOf(with_(viaProject))).toBe(
      'Table public.stranger takes its audience from public.project via project_id, and no foreign key leads from there to the key of public.project: ALTER TABLE "public"."stranger" ADD FOREIGN KEY ("project_id") REFERENCES "public"."project".',
    )
    await own.run(
      `ALTER TABLE stranger ADD FOREIGN KEY (project_id) REFERENCES project; ALTER TABLE stranger ADD COLUMN tidemark_audience text; COMMENT ON COLUMN stranger.tidemark_audience IS 'the app'`,
    )
    expect(await faultOf(with_(viaProject))).toMatch(/has a column tidemark_audience of its own/)
    await own.run(
      `DROP TABLE stranger; CREATE TABLE stranger (id int PRIMARY KEY, project_id int REFERENCES project) PARTITION BY RANGE (id)`,
    )
    expect(await faultOf(with_(viaProject))).toMatch(/public\.stranger is partitioned/)
  })

  test('AUD-R1 names that the app changes are followed, and what the app no longer wants is made anew', async () => {
    await apply()
    const renamed = pgTable('task', {
      id: integer('id').primaryKey(),
      project: integer('project'),
      deletedAt: timestamp('deleted_at'),
    })
    const remark = pgTable('comment', { id: integer('id').primaryKey(), task: integer('task'), body: text('body') })
    await database.transaction(async ({ query }) => {
      await query('ALTER TABLE public.issue RENAME TO task')
      await query('ALTER TABLE public.task RENAME project_id TO project')
      await query('ALTER TABLE public.comment RENAME issue_id TO task')
      await applyDefinition(
        query,
        with_({
          project: ofProject,
          task: table(renamed, { audience: { via: renamed.project, of: project } }),
          comment: table(remark, { audience: { via: remark.task, of: renamed } }),
        }),
      )
    })
    expect(await audiences('task')).toMatchObject({ 11: 'a', 12: 'a' })
    expect(await audiences('comment')).toMatchObject({ 111: 'a', 121: 'a' })
    await own.run(`INSERT INTO comment VALUES (122, 12, 'new')`)
    expect(await audiences('comment')).toMatchObject({ 122: 'a' })
  })

  test('AUD-R1 a table that gets another parent follows that alone', async () => {
    await apply()
    await own.run('ALTER TABLE comment ADD COLUMN project_id int REFERENCES project; UPDATE comment SET project_id = 2')
    const remark = pgTable('comment', { id: integer('id').primaryKey(), projectId: integer('project_id') })
    await apply(
      with_({
        project: ofProject,
        issue: pathSync.tables.issue,
        comment: table(remark, { audience: { via: remark.projectId, of: project } }),
      }),
    )
    expect(await audiences('comment')).toMatchObject({ 111: 'b', 211: 'b', 411: 'b' })
    await own.run(`UPDATE issue SET project_id = 3 WHERE id = 11; UPDATE project SET org = 'z' WHERE id = 2`)
    expect(await audiences('comment')).toMatchObject({ 111: 'z', 211: 'z' })
    const { notes } = await apply(with_({ project: ofProject, issue: pathSync.tables.issue }))
    expect(notes).toContain(
      'The audience of rows of public.comment is no longer kept; tidemark remove --unused takes its column.',
    )
    await own.run(`UPDATE comment SET tidemark_audience = 'free'; ALTER TABLE comment DROP COLUMN project_id`)
  })

  test('AUD-R1 a migration may change the type of the column that names the audience, having dropped what follows from it', async () => {
    await apply()
    await own.run(
      `ALTER TABLE comment DROP COLUMN tidemark_audience; ALTER TABLE issue DROP COLUMN tidemark_audience; ALTER TABLE project ALTER org TYPE int USING ascii(org)`,
    )
    const { definition } = await apply()
    const typed = definition.tables.map(({ name, columns }) => [
      name,
      columns.find((one) => one.name === 'tidemark_audience')?.type,
    ])
    expect(typed).toContainEqual(['comment', 'integer'])
    expect(await audiences('comment')).toMatchObject({ 111: '97', 211: '98' })
  })
})

test('AUD-R4 FLD-149 a chain that meets itself, or ends where nobody can tell, is refused before any database is asked', () => {
  const folder = pgTable('folder', {
    id: integer('id').primaryKey(),
    parentId: integer('parent_id'),
    issueId: integer('issue_id'),
  })
  const loop = pgTable('issue', { id: integer('id').primaryKey(), folderId: integer('folder_id') })
  expect(() =>
    defineSync({
      tables: {
        folder: table(folder, { audience: { via: folder.issueId, of: loop } }),
        issue: table(loop, { audience: { via: loop.folderId, of: folder } }),
      },
    }),
  ).toThrow(/leads from table to table and back \(folder → issue → folder\)/)
  expect(() =>
    defineSync({ tables: { folder: table(folder, { audience: { via: folder.parentId, of: folder } }) } }),
  ).toThrow(/back \(folder → folder\)/)
  expect(() =>
    defineSync({ tables: { comment: table(comment, { audience: { via: comment.issueId, of: issue } }) } }),
  ).toThrow(/is that of table issue, which is not synced/)
  expect(() =>
    defineSync({
      tables: {
        project: table(project, { audience: 'all' }),
        issue: table(issue, { audience: { via: issue.projectId, of: project } }),
      },
    }),
  ).toThrow(/is that of project, which everyone sees: say 'all'/)
  expect(() => table(project, { audience: 'all', when: sql`true` })).toThrow(/when needs an audience/)
  expect(() =>
    table(project, { audience: { column: project.org, prefix: 'org' }, when: sql`${issue.id} = 1` }),
  ).toThrow(/names column id of table issue/)
})
