import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { defineSync, table } from '../../db/index.ts'
import { PATH_ROWS, page, sync } from '../../testing/audiences/path-app.ts'
import { PATH_SCHEMA } from '../../testing/audiences/path-schema.ts'
import { createDatabase, type TestDatabase } from '../../testing/postgres/create-database.ts'
import { servers } from '../../testing/postgres/servers.ts'
import { withDatabase } from '../../workers/database/index.ts'
import { runRemove } from './run-remove.ts'

let database: TestDatabase
let said: string[] = []
beforeEach(async () => {
  database = await createDatabase(servers().embedded)
  said = []
  vi.spyOn(console, 'log').mockImplementation((text) => void said.push(text))
})
afterEach(async () => {
  vi.restoreAllMocks()
  await database.drop()
})
const remove = (...switches: string[]) =>
  runRemove({ argument: undefined, values: { 'database-url': database.url }, switches: new Set(switches) })
const query = (text: string) => withDatabase(database.env, (one) => one.query(text))
/** Everything of ours in the database: names of columns, triggers, constraints, indexes, functions, rights. */
const ours = async () =>
  (
    await query(`SELECT a.attname AS name FROM pg_attribute a WHERE a.attname = 'tidemark_audience' AND NOT attisdropped
      AND EXISTS (SELECT FROM pg_class c WHERE c.oid = attrelid AND c.relkind = 'r')
    UNION ALL SELECT tgname FROM pg_trigger WHERE tgname LIKE '~tidemark%'
    UNION ALL SELECT conname FROM pg_constraint WHERE conname LIKE 'tidemark%' AND contype = 'f'
    UNION ALL SELECT relname FROM pg_class WHERE relkind = 'i' AND relname LIKE 'tidemark%of%'
    UNION ALL SELECT nspname FROM pg_namespace WHERE nspname = 'tidemark'
    UNION ALL SELECT pubname FROM pg_publication
    UNION ALL SELECT slot_name FROM pg_replication_slots WHERE database = current_database()
    UNION ALL SELECT table_name FROM information_schema.role_table_grants WHERE grantee = 'tidemark_client' AND table_schema = 'public'`)
  ).map(({ name }) => name)

test('AUD-R9 everything that Tidemark made goes at --yes and at nothing less, and the app writes on', async () => {
  await database.install(PATH_SCHEMA, sync)
  await database.run(PATH_ROWS)
  await database.run(
    `ALTER TABLE project ENABLE ROW LEVEL SECURITY; CREATE POLICY seen ON project TO tidemark_client USING (org = ANY ((SELECT tidemark.audience_values('org'))::text[]))`,
  )
  await query(`SELECT pg_create_logical_replication_slot('${database.slotName}', 'pgoutput')`)
  await query(
    `INSERT INTO tidemark.epoch (id, slot_name, owner, decoder, system_identifier, timeline, start_lsn, start_xid, head_lsn, floor_lsn, definition_version)
     SELECT 'e', '${database.slotName}', 'test', 'pgoutput', '1', 1, '0/1', pg_current_xact_id(), '0/1', '0/1', 1`,
  )
  const before = await ours()
  for (const switches of [[], ['dry-run'], ['dry-run', 'yes']]) {
    await remove(...switches)
    expect(said.at(-1)).toBe('Nothing was removed: say --yes to do it.')
  }
  expect(said.join('\n')).toContain('ALTER TABLE public.comment DROP COLUMN tidemark_audience;')
  expect(await ours()).toEqual(before)
  await database.run(
    `CREATE POLICY all_seen ON project USING (org = ANY ((SELECT tidemark.audience_values('org'))::text[]))`,
  )
  await expect(remove('yes')).rejects.toThrow(/nothing was removed: policy all_seen on public\.project/)
  await database.run('DROP POLICY all_seen ON project')
  expect(await ours()).toEqual(before)
  await remove('yes')
  expect(await ours()).toEqual([])
  await database.run(
    `UPDATE project SET org = 'c'; INSERT INTO comment VALUES (900, 11, 'on'); DELETE FROM issue WHERE id = 11`,
  )
  await remove('yes')
  expect(said.join('\n')).toContain('nothing, as there is nothing of it')
})

test('AUD-R9 with --unused only those columns go that no definition in force reads', async () => {
  await database.install(PATH_SCHEMA, sync)
  const byPath = { project: sync.tables.project, issue: sync.tables.issue }
  await database.install(
    'ALTER TABLE comment ADD org text',
    defineSync({ tables: { ...byPath, page: table(page, { audience: { column: page.org, prefix: 'org' } }) } }),
  )
  await remove('unused', 'yes')
  const left =
    await query(`SELECT attrelid::regclass::text AS name FROM pg_attribute JOIN pg_class c ON c.oid = attrelid
    WHERE attname = 'tidemark_audience' AND NOT attisdropped AND c.relkind = 'r'`)
  expect(left).toEqual([{ name: 'public.issue' }])
  await database.run(`${PATH_ROWS}; UPDATE project SET org = 'c' WHERE id = 1`)
  expect(await query('SELECT tidemark_audience AS audience FROM public.issue WHERE id = 11')).toEqual([
    { audience: 'c' },
  ])
})
