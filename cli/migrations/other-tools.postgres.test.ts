import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, expect, test } from 'vitest'
import { useEmptyConnection } from '../../testing/cli/create-empty-database.ts'
import { makeApp, NOTE_APP } from '../../testing/cli/make-app.ts'
import { servers } from '../../testing/postgres/servers.ts'
import { loadSync } from '../app/load-module.ts'
import { applyMigrations } from './apply-migrations.ts'
import { revertMigration } from './revert-migration.ts'

const SYNC = NOTE_APP['sync.ts'] ?? ''
const app = makeApp({ 'sync.ts': SYNC })
const folder = join(app.folder, 'migrations')
const database = useEmptyConnection(servers().embedded)
afterAll(() => app.remove())

const migrate = async () => applyMigrations(database, folder, await loadSync(join(app.folder, 'sync.ts')))

const DRIZZLE_KIT = fileURLToPath(new URL('../../node_modules/drizzle-kit/bin.cjs', import.meta.url))
async function generate(...more: string[]): Promise<void> {
  const args = ['generate', '--dialect=postgresql', '--schema=./sync.ts', '--out=./migrations', ...more]
  await promisify(execFile)(process.execPath, [DRIZZLE_KIT, ...args], { cwd: app.folder })
}

test('MIG-15 what drizzle-kit writes runs as it is: statements between breakpoints, its journal, an empty custom file', async () => {
  app.write({ 'sync.ts': SYNC.replace('const note', 'export const note') })
  await generate('--name=note')
  expect(existsSync(join(folder, 'meta/_journal.json'))).toBe(true)
  expect((await migrate()).ran).toContain('0000_note.sql')
  const declared = `body: text('body'), rank: text('rank').default('low'), due: text('due')`
  app.write({ 'sync.ts': SYNC.replace('const note', 'export const note').replace(`body: text('body')`, declared) })
  await generate('--name=rank')
  await generate('--name=empty', '--custom')
  const ran = await migrate()
  expect(ran).toMatchObject({ ran: ['0001_rank.sql', '0002_empty.sql'], definition: { changed: true } })
  expect(ran.notes).toContain('Table public.note: replicas change theirs in place (nothing is downloaded).')
})

const state = () =>
  database.query(
    `SELECT (SELECT count(*)::text FROM tidemark.app_migration) AS files,
       (SELECT string_agg(c.relname || c.relnatts, ' ' ORDER BY c.relname) FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace) AS relations`,
  )

const FIRST = 'ALTER TABLE note ADD half text;\n--> statement-breakpoint\n'
test.each([
  [
    'UPDATE note SET body = $1',
    /statement 2 of 2 .*no parameter \$1\nA file has no parameters, as a query of TypeORM has/,
  ],
  ['CREATE INDEX CONCURRENTLY body ON note (body)', /CONCURRENTLY.*\n.*run it by hand with psql/],
  ['DROP INDEX CONCURRENTLY IF EXISTS body', /CONCURRENTLY.*\n.*run it by hand with psql/],
  ['REINDEX TABLE CONCURRENTLY note', /CONCURRENTLY.*\n.*run it by hand with psql/],
  ['CREATE DATABASE another', /CREATE DATABASE.*\n.*run it by hand with psql/],
  [
    `CREATE PROCEDURE ends() LANGUAGE plpgsql AS 'BEGIN COMMIT; END'; CALL ends()`,
    /invalid transaction termination\n.*call it by hand with psql/,
  ],
  [`DO 'BEGIN COMMIT; END'`, /invalid transaction termination\n.*call it by hand with psql/],
])(
  'MIG-15 CLI-R25 a statement that no migration can hold is refused whole, with what to do: %s',
  async (statement, said) => {
    const before = await state()
    app.write({ 'migrations/0003_refused.sql': `${FIRST}${statement}` })
    await expect(migrate()).rejects.toMatchObject({ kind: 'misconfigured', message: expect.stringMatching(said) })
    expect(await state()).toEqual(before)
  },
)

test('MIG-15 a statement that reads and decides does so in the run, and replicas follow what came of it', async () => {
  app.write({
    'migrations/0003_refused.sql': `DO $$ BEGIN
  IF EXISTS (SELECT FROM note) THEN ALTER TABLE note DROP due; ELSE ALTER TABLE note RENAME due TO until; END IF;
END $$`,
    'sync.ts': SYNC.replace(`body: text('body')`, `body: text('body'), rank: text('rank'), until: text('until')`),
  })
  const { notes } = await migrate()
  expect(notes).toContain('Table public.note: replicas change theirs in place (nothing is downloaded).')
})

test('MIG-15 CLI-R27 CLI-R29 a class of TypeORM runs with its values and is taken back by its down(), both in place', async () => {
  app.write({
    'migrations/1732000000000-AddRate.ts': `import { MigrationInterface, QueryRunner } from "typeorm";
export class AddRate1732000000000 implements MigrationInterface {
    public async up(queryRunner: QueryRunner): Promise<void> {
        await queryRunner.query(\`ALTER TABLE note ADD rate text\`);
        await queryRunner.query("INSERT INTO note (id, team, rate) VALUES (gen_random_uuid(), $1, $2)", ["a", "it's $3"]);
        await queryRunner.query("CREATE TABLE kept AS SELECT id, $2::jsonb AS more, $3::bytea AS bytes, $4::int[] AS list FROM note WHERE team = ANY($1)", [["a", "b"], { a: [1] }, Buffer.from([255]), [1, 2]]);
    }
    public async down(queryRunner: QueryRunner): Promise<void> {
        await queryRunner.query(\`ALTER TABLE note DROP COLUMN rate\`);
        await queryRunner.query("DROP TABLE kept");
    }
}
`,
  })
  expect((await migrate()).ran).toContain('1732000000000-AddRate.ts')
  expect(await database.query(`SELECT rate FROM public.note WHERE rate IS NOT NULL`)).toEqual([{ rate: "it's $3" }])
  const kept = await database.query(`SELECT more -> 'a' ->> 0 AS more, bytes, list FROM public.kept LIMIT 1`)
  expect(kept).toEqual([{ more: '1', bytes: '\\xff', list: '{1,2}' }])
  const sync = await loadSync(join(app.folder, 'sync.ts'))
  const reverted = await revertMigration(database, folder, sync)
  expect(reverted).toMatchObject({ name: '1732000000000-AddRate.ts' })
  expect(await database.query(`SELECT * FROM public.note LIMIT 1`)).not.toMatchObject([{ rate: expect.anything() }])
})
