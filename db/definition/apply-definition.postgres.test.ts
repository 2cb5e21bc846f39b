import { pgTable, text, uuid } from 'drizzle-orm/pg-core'
import { beforeAll, describe, expect, it } from 'vitest'
import { servers } from '../../testing/postgres/servers.ts'
import { useConnection, useTestDatabase } from '../../testing/postgres/use-test-database.ts'
import { defineSync, type Sync, table } from '../define-sync.ts'
import { type AppliedDefinition as Applied, applyDefinition } from './apply-definition.ts'
import { readDefinitionInForce } from './definition-in-force.ts'

const note = pgTable('note', { id: uuid('id'), orgId: uuid('org_id'), body: text('body'), secret: text('secret') })
const rooted = pgTable('rooted', { id: uuid('id') })
const audience = { column: note.orgId, prefix: 'org' }
const both = defineSync({
  tables: { note: table(note, { audience, hidden: ['secret'] }), rooted: table(rooted, { audience: 'all' }) },
})

describe.each(['embedded', 'system'] as const)('putting a definition in force on the %s Postgres', (name) => {
  const owned = useTestDatabase(servers()[name])
  const database = useConnection(owned)
  beforeAll(async () => {
    await owned.run(`
      CREATE TABLE note (id uuid PRIMARY KEY, org_id uuid, body text, secret text);
      CREATE TABLE rooted (id uuid PRIMARY KEY) PARTITION BY HASH (id);
      CREATE TABLE leaf PARTITION OF rooted FOR VALUES WITH (MODULUS 1, REMAINDER 0);
      CREATE TABLE no_key (id uuid)`)
  })
  const apply = (sync: Sync) => database.transaction(({ query }) => applyDefinition(query, sync))

  it(`CAP-17 CAP-18 sets full identity on tables and partitions, publishes and grants (${name})`, async () => {
    const applied = await apply(both)
    expect(applied).toMatchObject({ version: 1, changed: true })
    expect(applied.notes).toHaveLength(2)
    const identities = await database.query(
      "SELECT relname FROM pg_class WHERE relname IN ('note', 'leaf') AND relreplident = 'f' ORDER BY 1",
    )
    expect(identities.map((row) => row.relname)).toEqual(['leaf', 'note'])
    const published = await database.query(
      "SELECT tablename FROM pg_publication_tables WHERE pubname = 'tidemark' ORDER BY 1",
    )
    expect(published.map((row) => row.tablename)).toEqual(['mutation', 'note', 'rooted', 'sync_definition'])
  })

  it(`SEC-06 the client role reads visible columns and no hidden one (${name})`, async () => {
    const [rights] = await database.query(`SELECT
      has_column_privilege('tidemark_client', 'public.note', 'body', 'SELECT')::text AS body,
      has_column_privilege('tidemark_client', 'public.note', 'secret', 'SELECT')::text AS secret,
      has_table_privilege('tidemark_client', 'public.note', 'INSERT')::text AS insert`)
    expect(rights).toEqual({ body: 'true', secret: 'false', insert: 'false' })
  })

  it(`CAP-31 changes nothing the second time, and counts versions up when the definition changes (${name})`, async () => {
    expect(await apply(both)).toMatchObject({ version: 1, changed: false, notes: [] })
    const fewer = defineSync({ tables: { note: table(note, { audience, hidden: ['secret'] }) } })
    expect(await apply(fewer)).toMatchObject({ version: 2, changed: true })
    const [right] = await database.query(
      "SELECT has_column_privilege('tidemark_client', 'public.rooted', 'id', 'SELECT')::text AS id",
    )
    expect(right?.id).toBe('false')
    const published = await database.query(
      "SELECT tablename FROM pg_publication_tables WHERE pubname = 'tidemark' ORDER BY 1",
    )
    expect(published.map((row) => row.tablename)).toEqual(['mutation', 'note', 'sync_definition'])
    expect(await apply(both)).toMatchObject({ version: 3, changed: true })
  })

  it(`FLD-127 CAP-31 the tenth version is later than the ninth, and so is each of the thirty after it (${name})`, async () => {
    const fewer = defineSync({ tables: { note: table(note, { audience, hidden: ['secret'] }) } })
    const { version: first } = await apply(fewer)
    for (let version = first; version < 40; ) {
      const next = await apply(version % 2 === first % 2 ? both : fewer)
      expect(next).toMatchObject({ version: version + 1, changed: true })
      version = next.version
      expect(await readDefinitionInForce(database.query)).toMatchObject({ version, hash: next.hash })
    }
    expect(await readDefinitionInForce(database.query, 9)).toMatchObject({ version: 9 })
  })

  it(`HYD-R4 a table keeps the version since which its rows hold, and rewritten ones alone make a new version (${name})`, async () => {
    const sinces = ({ definition }: Applied) => definition.tables.map((table) => [table.name, table.since])
    const { version } = await apply(both)
    const rewritten = await database.transaction(({ query }) =>
      applyDefinition(query, both, { start: { drifted: new Set(['public.note']), tables: null, isHeld: false } }),
    )
    expect(rewritten).toMatchObject({ version: version + 1, changed: true })
    const stored = await database.transaction(({ query }) => readDefinitionInForce(query))
    expect(stored?.definition).toEqual(rewritten.definition)
    expect(sinces(rewritten)).toEqual([
      ['note', version + 1],
      ['rooted', version],
    ])
    const unlike = defineSync({
      tables: { note: both.tables.note, rooted: table(rooted, { audience: 'all', write: 'all' }) },
    })
    expect(sinces(await apply(unlike))).toEqual(sinces(rewritten))
    expect(await apply(both)).toMatchObject({ version: version + 3, hash: rewritten.hash })
  })

  it(`SEC-14 SEC-06 the client role writes visible columns of tables that replicas write, and no longer when that goes (${name})`, async () => {
    const rights = async () => {
      const [row] = await database.query(`SELECT
        has_column_privilege('tidemark_client', 'public.note', 'body', 'INSERT')::text AS insert,
        has_column_privilege('tidemark_client', 'public.note', 'body', 'UPDATE')::text AS update,
        has_table_privilege('tidemark_client', 'public.note', 'DELETE')::text AS delete,
        has_column_privilege('tidemark_client', 'public.note', 'secret', 'INSERT, UPDATE')::text AS hidden`)
      return row
    }
    const written = (write: 'all' | 'actions' | 'none') =>
      defineSync({ tables: { note: table(note, { audience, hidden: ['secret'], write }), rooted: both.tables.rooted } })
    const open = { insert: 'true', update: 'true', delete: 'true', hidden: 'false' }
    const { version } = await apply(both)
    const all = await apply(written('all'))
    expect(all.definition.tables.find(({ id }) => id === 'public.note')?.write).toBe('all')
    expect(await rights()).toEqual(open)
    await apply(written('actions'))
    expect(await rights()).toEqual(open)
    expect((await apply(written('none'))).version).toBe(version + 3)
    expect(await rights()).toEqual({ insert: 'false', update: 'false', delete: 'false', hidden: 'false' })
  })

  it(`CAP-17 refuses as a whole what cannot be synced, and leaves everything as it was (${name})`, async () => {
    const noKey = pgTable('no_key', { id: uuid('id') })
    const [before] = await database.query('SELECT max(version)::text AS version FROM tidemark.sync_definition')
    const bad = defineSync({ tables: { ...both.tables, noKey: table(noKey, { audience: 'all' }) } })
    await expect(apply(bad)).rejects.toMatchObject({
      kind: 'misconfigured',
      message: expect.stringContaining('no primary key'),
    })
    const [latest] = await database.query('SELECT max(version)::text AS version FROM tidemark.sync_definition')
    expect(latest).toEqual(before)
  })

  it(`VAL-R2 VAL-R3 uuids that the extension uuid-ossp makes at random are made by replicas too, by what they have (${name})`, async () => {
    await owned.run(`
      CREATE EXTENSION "uuid-ossp";
      CREATE SCHEMA own;
      CREATE FUNCTION own.uuid_generate_v4() RETURNS uuid LANGUAGE sql AS 'SELECT NULL::uuid';
      CREATE TABLE made (id uuid PRIMARY KEY DEFAULT uuid_generate_v4(), org_id uuid DEFAULT own.uuid_generate_v4(),
        body uuid DEFAULT uuid_generate_v1())`)
    const made = pgTable('made', { id: uuid('id'), orgId: uuid('org_id'), body: uuid('body') })
    await apply(
      defineSync({ tables: { made: table(made, { audience: { column: made.orgId, prefix: 'org' }, write: 'all' }) } }),
    )
    const inForce = await readDefinitionInForce(database.query)
    expect(inForce?.definition.tables[0]?.columns).toMatchObject([
      { name: 'id', default: 'gen_random_uuid()' },
      { name: 'org_id', serverDefault: true },
      { name: 'body', serverDefault: true },
    ])
  })
})
