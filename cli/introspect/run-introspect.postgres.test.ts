import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, test, vi } from 'vitest'
import { readDefinitionInForce } from '../../db/definition/definition-in-force.ts'
import { useEmptyDatabase } from '../../testing/cli/create-empty-database.ts'
import { servers } from '../../testing/postgres/servers.ts'
import type { TestServer } from '../../testing/postgres/test-server.ts'
import { withDatabase } from '../../workers/database/index.ts'
import { loadSync } from '../app/load-module.ts'
import { applyMigrations } from '../migrations/apply-migrations.ts'
import { runIntrospect } from './run-introspect.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const SCHEMA = readFileSync(new URL('../../testing/existing/schema.sql', import.meta.url), 'utf8')

mkdirSync(join(ROOT, '.tidemark'), { recursive: true })
// Inside the package, so that an app finds what that depends on without an installation.
const folder = mkdtempSync(join(ROOT, '.tidemark', 'existing-'))
afterAll(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }))

const CATALOGUE = `
  SELECT md5(string_agg(c.oid || c.relname || c.relfilenode || c.xmin, ',' ORDER BY c.oid)) AS relations,
    (SELECT count(*)::text FROM pg_namespace) AS schemas, (SELECT count(*)::text FROM pg_publication) AS publications
  FROM pg_class c WHERE c.relnamespace NOT IN ('pg_catalog'::regnamespace, 'pg_toast'::regnamespace)`

/** Runs the command here, and answers what it printed. */
async function init(app: string, url: string, template?: string): Promise<string> {
  const log = vi.spyOn(console, 'log').mockImplementation(() => {})
  try {
    const values = { 'database-url': url, ...(template === undefined ? {} : { template }) }
    await runIntrospect({ argument: app, values, switches: new Set() })
    return log.mock.calls.map(([line]) => `${line}\n`).join('')
  } finally {
    log.mockRestore()
  }
}

/** Takes the app's folder for one with packages, checks its types, and puts its definition in force. */
async function take(app: string, url: string, server: TestServer): Promise<void> {
  mkdirSync(join(app, 'node_modules'), { recursive: true })
  if (!existsSync(join(app, 'node_modules', 'tidemark'))) symlinkSync(ROOT, join(app, 'node_modules', 'tidemark'))
  execFileSync('tsc', ['-p', app], { cwd: app, stdio: 'pipe' })
  await migrate(app, url, server)
}

async function migrate(app: string, url: string, server: TestServer): Promise<void> {
  const sync = await loadSync(join(app, 'sync.ts'))
  await withDatabase({ DATABASE_URL: url, DATABASE_PROXY: server.proxy }, (open) =>
    applyMigrations(open, join(app, 'migrations'), sync),
  )
}

describe('init over a database that is there', () => {
  const server = servers().embedded
  const database = useEmptyDatabase(server)
  const app = join(folder, 'app')
  const read = (name: string) => readFileSync(join(app, name), 'utf8')

  test('CLI-R33 it changes nothing there, and writes modules that have types and that migrate takes as they are', async () => {
    await database.query(`SET search_path TO public; ${SCHEMA}`)
    await database.query('ANALYZE')
    const before = await database.query(CATALOGUE)
    const said = await init(app, database.url)
    expect(said).not.toContain('? rows')
    expect(said).toMatch(
      /In sync, as a proposal:\n {2}desk\.agent [\s\S]* public\.customer +customer:<customer_id>; 2 rows, .*password_hash, notes/,
    )
    expect(said).toMatch(
      /Left out until you decide:[\s\S]*public\.audit_log +cannot be synced as it is \(has no primary key\)/,
    )
    expect(await database.query(CATALOGUE)).toEqual(before)

    await take(app, database.url, server)
    const inForce = await readDefinitionInForce(database.query)
    const audiences = inForce?.definition.tables.map(({ id, audience }) => [id, audience])
    expect(Object.fromEntries(audiences ?? [])).toEqual({
      'desk.agent': { column: 'team_id', prefix: 'team' },
      'desk.canned_reply': { column: 'team_id', prefix: 'team' },
      'desk.team': { column: 'team_id', prefix: 'team' },
      'desk.ticket': { column: 'team_id', prefix: 'team' },
      'public.customer': { column: 'customer_id', prefix: 'customer' },
      'public.invoice': { column: 'customer_id', prefix: 'customer' },
      'rental.copy': { column: 'store_id', prefix: 'store' },
      'rental.payment': { column: 'store_id', prefix: 'store' },
      'rental.staff': { column: 'store_id', prefix: 'store' },
      'rental.store': { column: 'store_id', prefix: 'store' },
    })
    const columns = (id: string) =>
      inForce?.definition.tables.find((one) => one.id === id)?.columns.map(({ name }) => name)
    expect(columns('public.customer')).toEqual(['customer_id', 'mail', 'Full Name', 'deleted_at'])
    expect(columns('rental.staff')).not.toContain('api_token')
  })

  test('CLI-R33 what nobody decided is left out, with the way that it would take, in the module and the report', () => {
    const sync = read('sync.ts')
    expect(sync).toContain("// artist: table(db.artist, { audience: 'all' }),")
    expect(sync).toContain('The way to customer: public.invoice_line.invoice_id to public.invoice.')
    expect(sync).toContain(
      '// invoiceLine: table(db.invoiceLine, { audience: { via: db.invoiceLine.invoiceId, of: db.invoice } }),',
    )
    const report = read('tidemark-report.md')
    for (const said of [
      /### rental\.payment\n[^#]*partitioned, 2 partitions/,
      /### public\.customer\n[^#]*marked as deleted by `deleted_at`.*``when: sql`\$\{db\.customer\.deletedAt\} IS NULL` ``/,
      /### public\.customer\n[^#]*`notes` stays on the server:.*type xml/,
      /### public\.invoice\n[^#]*generated: `gross`[^#]*unique: `customer_id`, `placed_at`/,
      /### public\.invoice\n[^#]*`invoice_id` \(identity\)/,
      /### public\.audit_log\n[^#]*has no primary key[^#]*key: \*\*none\*\*/,
      /### rental\.loan\n[^#]*Or is it staff_id that says who\?/,
      /Views and foreign tables do not travel: public\.turnover/,
    ])
      expect(report).toMatch(said)
  })

  test('CLI-R33 all of the tables may join as they were written, once somebody decided', async () => {
    const decided = read('sync.ts').replaceAll(/^( *)\/\/ (\w+: table\(.*)$/gm, '$1$2')
    writeFileSync(join(app, 'sync.ts'), decided)
    await migrate(app, database.url, server)
    const inForce = await readDefinitionInForce(database.query)
    expect(inForce?.definition.tables.map(({ id }) => id)).toEqual(
      expect.arrayContaining(['rental.film', 'public.album', 'public.invoice_line', 'rental.loan']),
    )
  })

  test('CLI-R33 the policies run as they were written, and keep the app what it sees', async () => {
    await database.query(`CREATE ROLE existing_app LOGIN; GRANT SELECT, UPDATE ON public.customer TO existing_app`)
    rmSync(app, { recursive: true })
    await init(app, database.url)
    const policies = read('tidemark-policies.sql')
    expect(policies).toContain(`CREATE POLICY "customer_for_existing_app" ON "public"."customer" TO "existing_app"`)
    // Lines of invoices joined before, and have the column by which their policy goes; loans go by two steps.
    expect(policies).toContain('-- public.invoice_line: whoever its row of public.invoice belongs to')
    await database.query(policies)
    await database.query(policies)
    const [seen] = await database.query(
      `SELECT count(*)::text AS count FROM pg_policies WHERE policyname LIKE '%\\_tidemark'`,
    )
    expect(seen?.count).toBe('16')
    await database.query(
      'REVOKE ALL ON public.customer FROM existing_app; DROP OWNED BY existing_app; DROP ROLE existing_app',
    )
  })

  test('CLI-R33 nothing is overwritten, and other files of a folder stay as they are', async () => {
    await expect(init(app, database.url)).rejects.toThrow(
      'has tables.ts, relations.ts, sync.ts, tidemark-report.md, tidemark-policies.sql already, and nothing was written',
    )
    rmSync(app, { recursive: true })
    mkdirSync(app)
    writeFileSync(join(app, 'worker.ts'), '// mine')
    await database.query(
      'CREATE TABLE public.fresh (id integer PRIMARY KEY) WITH (autovacuum_enabled = false); INSERT INTO public.fresh VALUES (1)',
    )
    const said = await init(app, database.url)
    expect(said).toContain('npm install tidemark drizzle-orm jose')
    expect(said).toMatch(/public\.fresh .*; \? rows, [\s\S]*\n\? rows: the server has no estimate.*ANALYZE/)
    expect(read('worker.ts')).toBe('// mine')
    expect(read('replica.ts')).toContain('AUDIENCES')
    expect(read('wrangler.toml')).toContain('name = "app"')
    await expect(init(join(folder, 'none'), database.url, 'react')).rejects.toThrow(
      'leave it out beside --database-url',
    )
    expect(existsSync(join(folder, 'none'))).toBe(false)
  })
})

// Another version of Postgres, seen by another role, with what the first has not.
describe('init over a database of the distribution', () => {
  const server = servers().system
  const database = useEmptyDatabase(server)
  const app = join(folder, 'other')

  test('CLI-R33 keys, children, sizes and types that replicas cannot take are said, and what is left is taken', async () => {
    await database.query(`
      SET search_path TO public;
      CREATE TYPE pair AS (a int, b int);
      CREATE TABLE account (id uuid PRIMARY KEY, constructor text);
      CREATE TABLE big (id int PRIMARY KEY, account_id uuid NOT NULL, at interval(3), bits bit(3), c char(2), "a-b" oid, a_b oid, aB int);
      CREATE TABLE parent (id int PRIMARY KEY, account_id uuid REFERENCES account);
      CREATE TABLE child () INHERITS (parent);
      CREATE TABLE delayed (id int PRIMARY KEY DEFERRABLE, account_id uuid);
      CREATE TABLE "class" (id int, account_id uuid NOT NULL, two pair, twice int GENERATED ALWAYS AS (n * 2) STORED, n int, secret text,
        of_secret int GENERATED ALWAYS AS (length(secret)) STORED, PRIMARY KEY (account_id, id));
      CREATE TABLE migrations (id serial PRIMARY KEY, "timestamp" bigint, name text);
      CREATE UNLOGGED TABLE cache (id int PRIMARY KEY, account_id uuid);
      CREATE TABLE country (id int PRIMARY KEY);
      UPDATE pg_class SET reltuples = 5000000, relpages = 100000 WHERE oid IN ('big'::regclass, 'country'::regclass)`)
    const said = (await init(app, database.url)).replaceAll(/ +/g, ' ')
    for (const line of [
      'public.big may be too large for a device',
      'public.cache cannot be synced as it is (is unlogged or temporary',
      'public.delayed cannot be synced as it is (has a deferrable primary key',
      'public.parent cannot be synced as it is (has tables that inherit from it',
      'stays on the server: secret, of_secret, two',
    ])
      expect(said).toContain(line)
    expect(said).not.toContain('public.migrations')
    expect(readFileSync(join(app, 'sync.ts'), 'utf8')).toContain(
      'nothing in public.country says who sees a row. All of it is more than a device should hold (about 5000000 rows',
    )
    const tables = readFileSync(join(app, 'tables.ts'), 'utf8')
    expect(tables).toMatch(/export const classTable = pg\.pgTable\('class'/)
    expect(tables).toContain("'a-b': oidColumn('a-b')")
    expect(tables).toContain("constructor: pg.text('constructor'),")
    await take(app, database.url, server)
  })
})
