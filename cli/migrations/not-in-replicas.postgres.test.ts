import { customType, pgTable } from 'drizzle-orm/pg-core'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { defineSync, table } from '../../db/index.ts'
import { createEmptyDatabase, type EmptyDatabase } from '../../testing/cli/create-empty-database.ts'
import { type MadeApp, makeApp } from '../../testing/cli/make-app.ts'
import { servers } from '../../testing/postgres/servers.ts'
import { type Database, openDatabase } from '../../workers/database/index.ts'
import { applyMigrations } from './apply-migrations.ts'
import { type ReplicaTrial, startReplicaTrial } from './replica-trial.ts'

const asText = customType<{ data: string }>({ dataType: () => 'text' })
const synced = (name: string, columns: readonly string[], hidden: readonly string[] = []) => {
  const made = pgTable(name, Object.fromEntries(columns.map((column) => [column, asText(column)])))
  return table(made, { audience: 'all', write: 'all', hidden: [...hidden] })
}
const syncOf = (more: readonly string[], hidden: readonly string[] = []) =>
  defineSync({ tables: { item: synced('item', ['id', 'a', 'n', ...more], hidden) } })

let trial: ReplicaTrial
beforeAll(async () => {
  trial = await startReplicaTrial()
})
afterAll(() => trial.close())
const FIRST = 'CREATE TABLE item (id uuid PRIMARY KEY, a text, n int)'
const lent = async () => ({ ...trial, close: async () => {} })

describe.each(['embedded', 'system'] as const)('what replicas cannot hold, on the %s Postgres', (name) => {
  let empty: EmptyDatabase
  let database: Database
  let app: MadeApp
  beforeAll(async () => {
    app = makeApp({ 'migrations/0000.sql': FIRST })
    const server = servers()[name]
    empty = await createEmptyDatabase(server)
    database = await openDatabase({ DATABASE_URL: empty.url, DATABASE_PROXY: server.proxy })
    await applyMigrations(database, `${app.folder}/migrations`, syncOf([]), lent)
  })
  afterAll(async () => {
    await database.close()
    await empty.drop()
    app.remove()
  })

  const ran: string[] = [FIRST]
  /** Migrates by those that ran and these files. */
  async function migrate(files: readonly string[], sync = syncOf(['c'])) {
    app.remove()
    app.write(
      Object.fromEntries(
        [...ran, ...files].map((sql, index) => [`migrations/${String(index).padStart(4, '0')}.sql`, sql]),
      ),
    )
    const outcome = await applyMigrations(database, `${app.folder}/migrations`, sync, lent)
    ran.push(...files)
    return outcome
  }

  /** All that a refused migration must leave as it was; versions are numbered by a sequence, which goes on. */
  const state = () =>
    database.query(
      `SELECT (SELECT json_agg(m.name ORDER BY m.name) FROM tidemark.app_migration m)::text AS files,
         (SELECT json_agg(d ORDER BY d.version) FROM tidemark.sync_definition d)::text AS definitions,
         (SELECT json_agg(s ORDER BY s.version, s.table_id) FROM tidemark.table_shape s)::text AS shapes,
         (SELECT string_agg(attname || attacl::text, ' ' ORDER BY attname) FROM pg_attribute WHERE attrelid = 'public.item'::regclass AND attnum > 0)
           AS rights,
         (SELECT string_agg(relname || relnatts || xmin, ' ' ORDER BY relname) FROM pg_class WHERE relnamespace = 'public'::regnamespace) AS relations`,
    )

  const LEFT = 'ALTER TABLE item ADD left_behind text; '

  test.each([
    [
      'CREATE EXTENSION citext; ALTER TABLE item ADD c citext',
      /item has column c, whose type public\.citext .*hide column c/,
    ],
    [
      'CREATE EXTENSION citext; ALTER TABLE item ADD c citext[]',
      /item has column c, whose type public\.citext\[\] .*hide column c/,
    ],
    [
      `CREATE TYPE pair AS (x int, y int); ALTER TABLE item ADD c pair`,
      /column c, whose type public\.pair .*hide column c/,
    ],
    ['CREATE TYPE span AS RANGE (subtype = float8); ALTER TABLE item ADD c span', /column c, whose type public\.span/],
    ['ALTER TABLE item ADD c xml', /column c, whose type xml /],
    [
      'CREATE EXTENSION citext; CREATE DOMAIN d AS citext; ALTER TABLE item ADD c d',
      /column c of public\.d, and a domain over public\.citext/,
    ],
    ['CREATE DOMAIN d AS xml; ALTER TABLE item ADD c d', /column c of public\.d, and a domain over xml /],
    [
      'CREATE DOMAIN d AS regclass[]; ALTER TABLE item ADD c d',
      /column c of public\.d, and a domain over regclass\[\] /,
    ],
    [
      `CREATE TYPE mood AS ENUM ('a'); CREATE DOMAIN d AS mood; ALTER TABLE item ADD c d`,
      /and a domain over public\.mood /,
    ],
    ['CREATE DOMAIN d AS int; CREATE DOMAIN e AS d; ALTER TABLE item ADD c e', /and a domain over public\.d /],
    ['ALTER TABLE item DROP CONSTRAINT item_pkey; ALTER TABLE item ADD c text', /no primary key/],
  ])('MIG-05 VAL-R10 a migration is refused whole, with table, column and what to do: %s', async (sql, said) => {
    const before = await state()
    const refused = { kind: 'misconfigured', message: expect.stringMatching(said) }
    await expect(migrate([LEFT + sql])).rejects.toMatchObject(refused)
    expect(await state()).toEqual(before)
    // The same where others come after it that do not mend it.
    const later = [LEFT + sql, 'ALTER TABLE item ADD later text']
    await expect(migrate(later)).rejects.toMatchObject(refused)
    expect(await state()).toEqual(before)
  })

  test('MIG-05 SCH-R7 a table that joins and cannot be synced is refused before its own file is committed', async () => {
    const before = await state()
    const tables = { ...syncOf([]).tables, place: synced('place', ['id', 'at']) }
    const files = ['CREATE TABLE place (id uuid PRIMARY KEY, at xml)', 'ALTER TABLE item ADD later text']
    await expect(migrate(files, defineSync({ tables }))).rejects.toMatchObject({
      message: expect.stringMatching(
        /^0001\.sql was not applied, nor anything after it.*\n.*column at, whose type xml/,
      ),
    })
    expect(await state()).toEqual(before)
  })

  test('MIG-05 SCH-R7 a file is refused as well where one after it, which was to mend it, fails', async () => {
    const before = await state()
    const files = ['ALTER TABLE item ADD c xml', 'ALTER TABLE item ALTER c TYPE absent']
    await expect(migrate(files)).rejects.toMatchObject({
      message: expect.stringMatching(/^0001\.sql was not applied.*\n.*0002\.sql failed.*type "absent" does not exist/),
    })
    expect(await state()).toEqual(before)
  })

  test('MIG-05 VAL-R2 VAL-R4 VAL-R8 what only the server needs is left out, and replicas do nothing for it', async () => {
    const server = [
      `CREATE FUNCTION own(text) RETURNS text IMMUTABLE LANGUAGE sql AS 'SELECT $1'; CREATE INDEX by_own ON item (own(a))`,
      `ALTER TABLE item ADD CHECK (own(a) <> 'x')`,
      'CREATE EXTENSION pg_trgm; CREATE INDEX by_trigram ON item USING gin (a gin_trgm_ops)',
      `CREATE COLLATION local (provider = icu, locale = 'de'); CREATE INDEX by_local ON item (a COLLATE local)`,
      'CREATE EXTENSION btree_gist; ALTER TABLE item ADD EXCLUDE USING gist (n WITH =)',
      'ALTER TABLE item ADD x xml',
    ]
    expect((await migrate(server, syncOf([]))).definition.changed).toBe(false)
    const outcome = await migrate(
      [`ALTER TABLE item ADD c text DEFAULT own('c'), ADD g text GENERATED ALWAYS AS (own(a)) STORED`],
      syncOf(['c', 'g']),
    )
    expect(outcome.definition.changed).toBe(true)
    const [row] = await database.query(
      `SELECT d.definition->'tables'->0->>'columns' AS columns FROM tidemark.sync_definition d ORDER BY d.version DESC LIMIT 1`,
    )
    const left = { notNull: false, generated: null, serverDefault: true }
    expect(JSON.parse(row?.columns ?? '')).toEqual(
      expect.arrayContaining([
        { name: 'c', type: 'text', ...left },
        { name: 'g', type: 'text', ...left, serverGenerated: true },
      ]),
    )
  })

  test('MIG-05 the same for a definition alone: a column that cannot travel is refused, and is hidden without a word', async () => {
    const before = await state()
    const refused = {
      kind: 'misconfigured',
      message: expect.stringMatching(/item has column x, whose type xml .*hide column x/),
    }
    await expect(migrate([], syncOf(['c', 'g', 'x']))).rejects.toMatchObject(refused)
    expect(await state()).toEqual(before)
    expect((await migrate([], syncOf(['c', 'g', 'x'], ['x']))).definition.changed).toBe(false)
  })

  test('MIG-05 SCH-R7 a file that a later one mends is applied', async () => {
    const files = ['ALTER TABLE item ADD m xml', 'ALTER TABLE item ALTER m TYPE text']
    const outcome = await migrate(files, syncOf(['c', 'g', 'm']))
    expect(outcome.ran).toHaveLength(2)
    expect(outcome.notes[0]).toMatch(/could not follow .* column m, whose type xml/)
  })
})

test('MIG-05 VAL-R11 a foreign key of a kind that replicas do not know stays on the server', async () => {
  const server = servers().embedded
  const empty = await createEmptyDatabase(server)
  const app = makeApp({
    'migrations/0001.sql': `
      CREATE EXTENSION btree_gist;
      CREATE TABLE owner (id uuid PRIMARY KEY, at daterange, UNIQUE (id, at WITHOUT OVERLAPS));
      CREATE TABLE pet (id uuid PRIMARY KEY, owner uuid REFERENCES owner NOT ENFORCED, other uuid REFERENCES owner, at daterange,
        FOREIGN KEY (owner, PERIOD at) REFERENCES owner (id, PERIOD at))`,
  })
  const database = await openDatabase({ DATABASE_URL: empty.url, DATABASE_PROXY: server.proxy })
  onTestFinished(async () => {
    await database.close()
    await empty.drop()
    app.remove()
  })
  const tables = { owner: synced('owner', ['id', 'at']), pet: synced('pet', ['id', 'owner', 'other', 'at']) }
  await applyMigrations(database, `${app.folder}/migrations`, defineSync({ tables }), lent)
  const [row] = await database.query(
    `SELECT jsonb_path_query_array(d.definition, '$.tables[*].foreignKeys[*].name')::text AS keys FROM tidemark.sync_definition d`,
  )
  expect(row?.keys).toBe('["pet_other_fkey"]')
})
