import { PGlite } from '@electric-sql/pglite'
import { integer, numeric, pgSchema, pgTable, text, uuid } from 'drizzle-orm/pg-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { defineSync, type Sync, table } from '../define-sync.ts'
import type { Query } from '../query.ts'
import { readCatalogue } from './catalogue.ts'
import { declaredTable } from './declared-table.ts'
import { resolveDefinition } from './resolve-definition.ts'

const org = pgTable('org', { id: uuid('id'), name: text('name') })
const project = pgTable('project', { id: uuid('id'), orgId: uuid('org_id'), slug: text('slug') })
const issue = pgTable('issue', {
  id: uuid('id'),
  orgId: uuid('org_id'),
  projectId: uuid('project_id'),
  ownerId: uuid('owner_id'),
  title: text('title'),
  states: text('states'),
  email: text('email'),
  points: numeric('points'),
  length: integer('length'),
  secret: text('secret'),
})
const byOrg = (column: typeof issue.orgId | typeof project.orgId) => ({ column, prefix: 'org' })

const SCHEMA = `
  CREATE TYPE state AS ENUM ('open', 'it''s \\ done');
  CREATE DOMAIN email AS text CHECK (value LIKE '%@%');
  CREATE TABLE org (id uuid PRIMARY KEY, name text NOT NULL);
  CREATE TABLE project (org_id uuid NOT NULL REFERENCES org, id uuid, slug text, PRIMARY KEY (org_id, id), UNIQUE (slug));
  CREATE TABLE person (id uuid PRIMARY KEY, org_id uuid);
  CREATE TABLE issue (
    id uuid PRIMARY KEY, org_id uuid NOT NULL, project_id uuid, owner_id uuid REFERENCES person, title text NOT NULL,
    states state[], email email, points numeric(10,2), secret text,
    length int GENERATED ALWAYS AS (length(title)) STORED,
    FOREIGN KEY (org_id, project_id) REFERENCES project (org_id, id) ON DELETE CASCADE);
  CREATE UNIQUE INDEX issue_lower ON issue (lower(title)) WHERE points > 0;
  CREATE INDEX issue_secret ON issue (secret);
  CREATE TABLE no_key (id uuid);
  CREATE TABLE late_key (id uuid PRIMARY KEY DEFERRABLE);
  CREATE VIEW a_view AS SELECT * FROM org;
  CREATE TABLE odd (id uuid PRIMARY KEY, place regclass, pair org,
    org_id uuid GENERATED ALWAYS AS (id) STORED, hidden_part text, shown text GENERATED ALWAYS AS (lower(hidden_part)) STORED);
  CREATE TABLE rooted (id uuid, PRIMARY KEY (id)) PARTITION BY HASH (id);
  CREATE TABLE leaf PARTITION OF rooted FOR VALUES WITH (MODULUS 1, REMAINDER 0);
  CREATE SCHEMA twin; CREATE TABLE twin.org (id uuid PRIMARY KEY, name text);
`

let database: PGlite
let query: Query

beforeAll(async () => {
  database = await PGlite.create()
  await database.exec(SCHEMA)
  await database.exec('SET search_path = pg_catalog')
  query = async (statement, params) =>
    (await database.query<Record<string, string | null>>(statement, [...(params ?? [])])).rows
})
afterAll(() => database.close())

async function resolve(sync: Sync) {
  return resolveDefinition(sync, await readCatalogue(query, Object.values(sync.tables).map(declaredTable)))
}
const faultsOf = async (entry: Sync['tables'][string]) =>
  (await resolve(defineSync({ tables: { entry } }))).faults.join('\n')

describe('resolving a sync definition against the catalogue', () => {
  it('CAP-18 SEC-06 completes types, keys, generated columns and indexes, and names no hidden column', async () => {
    const { definition, faults } = await resolve(
      defineSync({
        tables: {
          issue: table(issue, { audience: byOrg(issue.orgId), hidden: ['secret'] }),
          org: table(org, { audience: 'all', priority: 1 }),
          project: table(project, { audience: byOrg(project.orgId) }),
        },
      }),
    )
    expect(faults).toEqual([])
    expect(definition.tables.map((found) => found.id)).toEqual(['public.org', 'public.issue', 'public.project'])
    const found = definition.tables[1]
    expect(found?.columns.map((column) => [column.name, column.type, column.generated])).toEqual([
      ['id', 'uuid', null],
      ['org_id', 'uuid', null],
      ['project_id', 'uuid', null],
      ['owner_id', 'uuid', null],
      ['title', 'text', null],
      ['states', 'public.state[]', null],
      ['email', 'public.email', null],
      ['points', 'numeric(10,2)', null],
      ['length', 'integer', 'length(title)'],
    ])
    expect(found?.indexes.map((index) => index.statement)).toEqual([
      'CREATE INDEX issue_lower ON public.issue USING btree (lower(title)) WHERE (points > (0)::numeric)',
    ])
    expect(definition.types.map((type) => type.statement)).toEqual([
      'CREATE DOMAIN "public"."email" AS text',
      `CREATE TYPE "public"."state" AS ENUM ('open',  E'it''s \\\\ done')`,
    ])
    expect(JSON.stringify(definition)).not.toContain('secret')
  })

  it('SNP-12 keeps only foreign keys whose parent is always visible when the child is', async () => {
    const person = pgTable('person', { id: uuid('id'), orgId: uuid('org_id') })
    const { definition } = await resolve(
      defineSync({
        tables: {
          issue: table(issue, { audience: byOrg(issue.orgId), hidden: ['secret'] }),
          org: table(org, { audience: 'all' }),
          project: table(project, { audience: byOrg(project.orgId) }),
          person: table(person, { audience: { column: person.orgId, prefix: 'org' } }),
        },
      }),
    )
    const keys = definition.tables.flatMap((found) => found.foreignKeys.map((key) => key.name))
    expect(keys).toEqual(['issue_org_id_project_id_fkey', 'project_org_id_fkey'])
    expect(definition.tables[0]?.foreignKeys[0]?.statement).toMatch(
      /REFERENCES public\.project\(org_id, id\) ON DELETE CASCADE NOT VALID$/,
    )
  })

  it('CAP-17 refuses a table without a key, or with a deferrable one, and says what to do', async () => {
    const noKey = pgTable('no_key', { id: uuid('id') })
    expect(await faultsOf(table(noKey, { audience: 'all' }))).toMatch(
      /public\.no_key has no primary key.*ADD PRIMARY KEY/,
    )
    const lateKey = pgTable('late_key', { id: uuid('id') })
    expect(await faultsOf(table(lateKey, { audience: 'all' }))).toMatch(
      /deferrable primary key: make it NOT DEFERRABLE/,
    )
  })

  it('CAP-33 refuses a generated audience column', async () => {
    const odd = pgTable('odd', { id: uuid('id'), orgId: uuid('org_id') })
    expect(await faultsOf(table(odd, { audience: { column: odd.orgId, prefix: 'org' } }))).toMatch(
      /audience column org_id is generated.*make it a plain column/,
    )
  })

  it('CAP-18 maps to the root: a partition itself is refused, its root is not', async () => {
    expect(await faultsOf(table(pgTable('leaf', { id: uuid('id') }), { audience: 'all' }))).toMatch(
      /sync its root instead/,
    )
    expect(await faultsOf(table(pgTable('rooted', { id: uuid('id') }), { audience: 'all' }))).toBe('')
  })

  it('CAP-17 names every other fault: absent, view, unknown column, hidden key, type, computed from the unseen', async () => {
    expect(await faultsOf(table(pgTable('absent', { id: uuid('id') }), { audience: 'all' }))).toMatch(
      /does not exist: run the migration/,
    )
    expect(await faultsOf(table(pgTable('a_view', { id: uuid('id') }), { audience: 'all' }))).toMatch(
      /only tables can be synced/,
    )
    expect(await faultsOf(table(org, { audience: 'all', hidden: ['nope'] }))).toMatch(/has no column nope/)
    expect(await faultsOf(table(org, { audience: 'all', hidden: ['id'] }))).toMatch(/primary key column id must travel/)
    expect(await faultsOf(table(project, { audience: byOrg(project.orgId), hidden: ['org_id'] }))).toMatch(
      /cannot be hidden/,
    )
    const odd = pgTable('odd', { id: uuid('id'), place: text('place'), pair: text('pair'), shown: text('shown') })
    const faults = await faultsOf(table(odd, { audience: 'all' }))
    expect(faults).toMatch(/type regclass cannot live in a replica: hide column place/)
    expect(faults).toMatch(/type public\.org cannot live/)
    expect(faults).toMatch(/shown is computed from hidden_part, which does not travel/)
    expect((await resolve(defineSync({ tables: {} }))).faults.join()).toMatch(/names no table/)
    const twice = { a: table(org, { audience: 'all' }), b: table(org, { audience: 'all' }) }
    expect((await resolve(defineSync({ tables: twice }))).faults.join()).toMatch(/declared twice/)
  })

  it('CAP-13 tells schema twins apart', async () => {
    const twin = pgSchema('twin').table('org', { id: uuid('id'), name: text('name') })
    const { definition, faults } = await resolve(
      defineSync({ tables: { org: table(org, { audience: 'all' }), twin: table(twin, { audience: 'all' }) } }),
    )
    expect(faults).toEqual([])
    expect(definition.tables.map((found) => found.id)).toEqual(['public.org', 'twin.org'])
  })

  it('SEC-05 refuses an audience prefix that could be read as something else', async () => {
    for (const prefix of ['', 'Org', 'a:b', "x'"]) {
      expect(await faultsOf(table(project, { audience: { column: project.orgId, prefix } }))).toMatch(/audience prefix/)
    }
  })
})
