import { PGlite } from '@electric-sql/pglite'
import { pgTable, text, uuid } from 'drizzle-orm/pg-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { defineSync, table } from '../define-sync.ts'
import type { Query } from '../query.ts'
import { readCatalogue } from './catalogue.ts'
import { resolveDefinition } from './resolve-definition.ts'

const SCHEMA = `
  CREATE FUNCTION slug() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN new.slug := lower(new.title); RETURN new; END $$;
  CREATE FUNCTION whole() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN new := jsonb_populate_record(new, '{"slug": "x"}'); RETURN new; END $$;
  CREATE FUNCTION touched() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN new.touched := now(); RETURN new; END $$;
  CREATE FUNCTION short_id() RETURNS text LANGUAGE sql VOLATILE AS $$ SELECT substr(md5(random()::text), 1, 12) $$;
  CREATE FUNCTION make_id() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN IF new.id IS NULL THEN new.id := short_id(); END IF; RETURN new; END $$;
  CREATE FUNCTION tidy_id() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN new.id := lower(new.id); RETURN new; END $$;
  CREATE DOMAIN code AS text DEFAULT 'n/a';
  CREATE DOMAIN own_code AS text DEFAULT short_id() NOT NULL;
  CREATE TABLE film (id uuid PRIMARY KEY, title text NOT NULL, slug text NOT NULL, kind text NOT NULL DEFAULT 'film', tsv tsvector NOT NULL);
  CREATE TRIGGER a BEFORE INSERT ON film FOR EACH ROW EXECUTE FUNCTION slug();
  CREATE TRIGGER b BEFORE INSERT OR UPDATE ON film FOR EACH ROW EXECUTE FUNCTION tsvector_update_trigger(tsv, 'pg_catalog.simple', title);
  CREATE TABLE whole (id uuid PRIMARY KEY, title text NOT NULL, slug text NOT NULL DEFAULT '');
  CREATE TRIGGER a BEFORE INSERT ON whole FOR EACH ROW EXECUTE FUNCTION whole();
  CREATE TABLE plain (id uuid PRIMARY KEY, title text NOT NULL, slug text NOT NULL, off text NOT NULL, touched timestamptz NOT NULL);
  CREATE TRIGGER a BEFORE UPDATE ON plain FOR EACH ROW EXECUTE FUNCTION touched();
  CREATE TRIGGER b AFTER INSERT ON plain FOR EACH ROW EXECUTE FUNCTION slug();
  CREATE TRIGGER c BEFORE INSERT ON plain FOR EACH ROW EXECUTE FUNCTION whole();
  ALTER TABLE plain DISABLE TRIGGER c;
  CREATE TABLE root (id uuid PRIMARY KEY, title text NOT NULL, slug text NOT NULL) PARTITION BY HASH (id);
  CREATE TABLE leaf PARTITION OF root FOR VALUES WITH (MODULUS 1, REMAINDER 0);
  CREATE TRIGGER a BEFORE INSERT ON leaf FOR EACH ROW EXECUTE FUNCTION slug();
  CREATE TABLE part (id uuid PRIMARY KEY, title text, c code, own own_code, codes code[], none code DEFAULT NULL);
  CREATE TABLE counted (id uuid PRIMARY KEY, number int GENERATED ALWAYS AS IDENTITY, twice int NOT NULL GENERATED ALWAYS AS (number * 2) STORED,
    size int NOT NULL DEFAULT 1, half int NOT NULL GENERATED ALWAYS AS (size / 2) STORED);
  CREATE TABLE local (id uuid PRIMARY KEY, low text DEFAULT lower('A' || gen_random_uuid()::text),
    plain text DEFAULT lower(('A' || gen_random_uuid()::text) COLLATE "C"), stamp text DEFAULT to_char(now(), 'TMMonth'),
    first text DEFAULT least(md5(random()::text), 'x'), mark text DEFAULT upper(left(md5('x'), 4)));
  CREATE TABLE link (id text DEFAULT short_id() PRIMARY KEY, title text);
  CREATE TABLE domained (id own_code PRIMARY KEY, title text);
  CREATE TABLE made (id text PRIMARY KEY, title text);
  CREATE TRIGGER a BEFORE INSERT ON made FOR EACH ROW EXECUTE FUNCTION make_id();
  CREATE TABLE tidied (id text PRIMARY KEY, title text);
  CREATE TRIGGER a BEFORE INSERT ON tidied FOR EACH ROW EXECUTE FUNCTION tidy_id();
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

async function resolve(name: string, columns: readonly string[], write: 'all' | 'actions' | 'none' = 'all') {
  const shape = Object.fromEntries(columns.map((column) => [column, text(column)]))
  const sync = defineSync({
    tables: { one: table(pgTable(name, { id: uuid('id'), ...shape }), { audience: 'all', write }) },
  })
  return resolveDefinition(sync, await readCatalogue(query, [{ schema: 'public', name }]))
}

/** For each column, says whether it may be NULL in a replica, and what fills it. */
async function filling(name: string, columns: readonly string[], write: 'all' | 'none' = 'all') {
  const { definition, faults } = await resolve(name, columns, write)
  expect(faults).toEqual([])
  return Object.fromEntries(
    (definition.tables[0]?.columns ?? []).map((column) => [
      column.name,
      column.serverDefault ? 'server' : (column.default ?? (column.notNull ? 'required' : 'nullable')),
    ]),
  )
}

describe('what the server fills in', () => {
  it('FLD-50 VAL-R1 a column that a trigger before the insert names may be NULL here, another may not', async () => {
    expect(await filling('film', ['title', 'slug', 'kind', 'tsv'])).toEqual({
      id: 'required',
      title: 'server',
      slug: 'server',
      kind: `'film'::text`,
      tsv: 'server',
    })
    expect(await filling('plain', ['title', 'slug', 'off', 'touched'])).toEqual({
      id: 'required',
      title: 'required',
      slug: 'required',
      off: 'required',
      touched: 'server',
    })
    expect(await filling('film', ['title', 'slug'], 'none')).toMatchObject({ slug: 'required' })
  })

  it('FLD-50 VAL-R1 a trigger that writes the whole row, or stands on a partition, may fill any column it could', async () => {
    const { definition } = await resolve('whole', ['title', 'slug'])
    expect(definition.tables[0]?.columns).toMatchObject([
      { name: 'id', notNull: true },
      { name: 'title', serverDefault: true },
      { name: 'slug', notNull: false, default: `''::text` },
    ])
    expect(await filling('root', ['title', 'slug'])).toMatchObject({ slug: 'server' })
  })

  it('FLD-51 VAL-R2 a domain’s default is the column’s, computed here where it can be; a NULL of its own stands', async () => {
    expect(await filling('part', ['title', 'c', 'own', 'codes', 'none'])).toEqual({
      id: 'required',
      title: 'nullable',
      c: `'n/a'::text`,
      own: 'server',
      codes: 'nullable',
      none: 'NULL::text',
    })
  })

  it('FLD-52 VAL-R3 a key that only the server makes is refused where replicas insert, by default, domain and trigger', async () => {
    for (const name of ['link', 'domained', 'made']) {
      const { faults } = await resolve(name, ['title'])
      expect(faults.join()).toMatch(
        new RegExp(`Table public.${name} primary key column id is made by .*gen_random_uuid`),
      )
      expect((await resolve(name, ['title'], 'actions')).faults).toEqual([])
    }
    expect((await resolve('tidied', ['title'])).faults).toEqual([])
  })

  it('FLD-50 VAL-R1 what is generated from a column that the server fills in may be NULL here too', async () => {
    expect(await filling('counted', ['number', 'twice', 'size', 'half'])).toEqual({
      id: 'required',
      number: 'server',
      twice: 'nullable',
      size: '1',
      half: 'required',
    })
  })

  it('FLD-60 VAL-R4 a default that depends on the locale is the server’s', async () => {
    expect(await filling('local', ['low', 'plain', 'stamp', 'first', 'mark'])).toEqual({
      id: 'required',
      low: 'server',
      plain: expect.stringContaining('lower('),
      stamp: 'server',
      first: 'server',
      mark: 'server',
    })
  })
})
