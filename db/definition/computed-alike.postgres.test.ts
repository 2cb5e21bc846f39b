import { PGlite } from '@electric-sql/pglite'
import { integer, pgTable, text } from 'drizzle-orm/pg-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { quoteIdentifier } from '../../protocol/index.ts'
import { servers } from '../../testing/postgres/servers.ts'
import { type Database, openDatabase, withDatabase } from '../../workers/database/index.ts'
import { defineSync, table } from '../define-sync.ts'
import { readCatalogue } from './catalogue.ts'
import { resolveDefinition } from './resolve-definition.ts'

/** Turkish: there `lower('I')` has no dot, and texts are in an order of their own. */
const LOCALE = `LOCALE_PROVIDER icu ICU_LOCALE 'tr-TR' LOCALE 'C.UTF-8' ENCODING UTF8`
const BASE = 'id int PRIMARY KEY, a text, b text, n numeric, i int, j jsonb, at timestamp, mood mood, tags text[]'
const PLAIN = ['id', 'a', 'b', 'n', 'i', 'j', 'at', 'mood', 'tags']

/** Expressions whose result cannot differ. */
const ALIKE = [
  `a || ' ' || b`,
  'length(a) + i * 2',
  'left(a, 1)',
  'substring(a, 2, 3)',
  `coalesce(nullif(btrim(a), ''), b)`,
  'md5(a)',
  'a = b',
  `a LIKE 'I%'`,
  `replace(a, 'I', 'x')`,
  `split_part(a, ' ', 1)`,
  `CASE mood WHEN 'sad' THEN 1 ELSE 2 END`,
  `mood < 'glad'`,
  `j ->> 'k'`,
  `(j -> 'deep' ->> 'n')::int`,
  `j ? 'k'`,
  'round(n * 1.19, 2)',
  'n / 3',
  'n::text',
  'greatest(n, 1)',
  "date_trunc('month', at)",
  'extract(year FROM at)::int',
  `at + interval '1 day'`,
  'cardinality(tags)',
  `tags @> ARRAY['I']`,
  'lower(a COLLATE "C")',
  '(a COLLATE "C") < (b COLLATE "C")',
  `encode(sha256(decode(md5(a), 'hex')), 'hex')`,
]
/** Expressions that a replica computes otherwise here, or may compute otherwise elsewhere. */
const NOT_ALIKE = [
  'lower(a)',
  'upper(a)',
  'initcap(a)',
  'a < b',
  'greatest(a, b)',
  `a ILIKE 'i%'`,
  `a ~ '\\w'`,
  `lower(a COLLATE "tr-x-icu")`,
  `(a COLLATE "und-x-icu") = b`,
  `to_tsvector('simple', a)`,
  `to_tsvector('public.plain', a)`,
  'own(a)',
  `own_equal(a, b)`,
  'a OPERATOR(public.===) b',
  `timezone('Europe/Berlin', timestamptz '2026-01-01 00:00+00')`,
  'sqrt(abs(n))',
]

const columnsOf = (expressions: readonly string[], type: (expression: string) => string) =>
  expressions.map((expression, place) => `g${place} ${type(expression)} GENERATED ALWAYS AS (${expression}) STORED`)

let name: string
let database: Database
let replica: PGlite
beforeAll(async () => {
  const server = servers().system
  name = `alike_${process.pid}`
  const admin = { DATABASE_URL: server.adminUrl, DATABASE_PROXY: server.proxy }
  await withDatabase(admin, ({ query }) => query(`CREATE DATABASE ${name} TEMPLATE template0 ${LOCALE}`))
  const url = Object.assign(new URL(server.adminUrl), { pathname: `/${name}` }).href
  database = await openDatabase({ ...admin, DATABASE_URL: url })
  replica = await PGlite.create()
  for (const statement of [
    `CREATE TYPE mood AS ENUM ('sad', 'glad')`,
    'CREATE TEXT SEARCH CONFIGURATION plain (COPY = pg_catalog.simple)',
    `CREATE FUNCTION own(text) RETURNS text IMMUTABLE LANGUAGE sql AS 'SELECT $1'`,
    `CREATE FUNCTION own_equal(text, text) RETURNS boolean IMMUTABLE LANGUAGE sql AS 'SELECT $1 = $2'`,
    'CREATE OPERATOR === (FUNCTION = own_equal, LEFTARG = text, RIGHTARG = text)',
  ])
    await inPublic(statement)
})
afterAll(async () => {
  await database?.close()
  await replica?.close()
  const server = servers().system
  await withDatabase({ DATABASE_URL: server.adminUrl, DATABASE_PROXY: server.proxy }, ({ query }) =>
    query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`),
  )
})

/** Queries as an app would, whatever the connection's own search path. */
const inPublic = (statement: string) =>
  database.transaction(async ({ query }) => {
    await query('SET LOCAL search_path = public')
    return query(statement)
  })

/** The type that an expression has. */
async function typesOf(expressions: readonly string[]): Promise<Map<string, string>> {
  await inPublic(`CREATE TABLE probe (${BASE})`)
  const types = new Map<string, string>()
  for (const expression of expressions) {
    const [row] = await inPublic(
      `SELECT pg_typeof(x)::text AS type FROM (SELECT (${expression}) FROM probe RIGHT JOIN (SELECT 1) one ON true) AS y(x)`,
    )
    types.set(expression, row?.type ?? '')
  }
  await inPublic('DROP TABLE probe')
  return types
}

async function resolve(named: string, generated: readonly string[]) {
  const types = await typesOf(generated)
  const columns = [BASE, ...columnsOf(generated, (expression) => types.get(expression) ?? 'text')]
  await inPublic(`CREATE TABLE ${named} (${columns.join(', ')})`)
  const names = [...PLAIN, ...generated.map((_, place) => `g${place}`)].slice(1)
  const shape = Object.fromEntries(names.map((column) => [column, text(column)]))
  const sync = defineSync({
    tables: { one: table(pgTable(named, { id: integer('id'), ...shape }), { audience: 'all' }) },
  })
  return resolveDefinition(sync, await readCatalogue(database.query, [{ schema: 'public', name: named }]))
}

describe('what a replica computes itself, beside a server of another locale', () => {
  it('FLD-53 VAL-R4 is alike in every value; text order, case and search, and what the app made, is the server’s', async () => {
    const { definition, faults } = await resolve('alike', [...ALIKE, ...NOT_ALIKE])
    expect(faults).toEqual([])
    const columns = definition.tables[0]?.columns ?? []
    const travelling = columns.filter(({ serverGenerated }) => serverGenerated).map(({ name }) => Number(name.slice(1)))
    expect(travelling).toEqual(NOT_ALIKE.map((_, place) => ALIKE.length + place))

    await inPublic(`INSERT INTO alike (id, a, b, n, i, j, at, mood, tags) VALUES
      (1, 'Iı İi ß', 'ı', 7.125, 3, '{"k": "I", "deep": {"n": "12"}}', '2026-02-28 23:59:59.5', 'sad', '{I,ı}'),
      (2, 'Ç z', 'Z', -0.005, -1, '{}', '1999-12-31', 'glad', '{}'), (3, '', NULL, NULL, NULL, NULL, NULL, NULL, NULL),
      (4, 'i', 'I', 'NaN', 0, '{"k": null}', '0044-03-15 12:00:00 BC', 'glad', '{"",NULL}')`)
    const computed = columns.filter(({ generated }) => generated !== null)
    await replica.exec(
      `CREATE TYPE mood AS ENUM ('sad', 'glad'); CREATE TABLE alike (${BASE}, ${computed
        .map(
          (column) => `${quoteIdentifier(column.name)} ${column.type} GENERATED ALWAYS AS (${column.generated}) STORED`,
        )
        .join(', ')})`,
    )
    const base = `SELECT json_agg(json_build_array(${PLAIN.map((column) => `${column}::text`).join(', ')}) ORDER BY id)::text AS rows FROM public.alike`
    const rows: (string | null)[][] = JSON.parse((await database.query(base))[0]?.rows ?? '')
    for (const row of rows)
      await replica.query(
        `INSERT INTO alike (${PLAIN.join(', ')}) VALUES ($1::text::int, $2, $3, $4::text::numeric, $5::text::int, $6::text::jsonb, $7::text::timestamp, $8::text::mood, $9::text::text[])`,
        row,
      )
    const compared = `SELECT ${computed.map((column) => `${column.name}::text`).join(', ')} FROM public.alike ORDER BY id`
    expect((await replica.query(compared)).rows).toEqual(await database.query(compared))
    // Expressions that are not computed here would indeed have differed.
    const [other] = await inPublic(`SELECT lower('I') || upper('i') || ('Ç' < 'Z')::text AS text`)
    const { rows: here } = await replica.query<{ text: string }>(
      `SELECT lower('I') || upper('i') || ('Ç' < 'Z')::text AS text`,
    )
    expect(here[0]?.text).not.toBe(other?.text)
  })

  it('FLD-54 VAL-R5 where generated values cannot travel, migrate names table, column and what is missing', async () => {
    await inPublic('CREATE SCHEMA IF NOT EXISTS tidemark')
    await inPublic('CREATE TABLE tidemark.epoch (decoder text, ended_at timestamptz)')
    expect((await resolve('page', [`to_tsvector('public.plain', a)`])).faults).toEqual([])
    await inPublic(`INSERT INTO tidemark.epoch VALUES ('pgoutput', NULL)`)
    expect((await resolve('refused', [`to_tsvector('public.plain', a)`, 'length(a)', 'own(a)'])).faults).toEqual([
      expect.stringMatching(
        /^Table public\.refused generated column g0 is computed as to_tsvector\('public\.plain'::regconfig, a\).*to_tsvector\(regconfig,text\).*read with pgoutput: hide it.*; generated|^Table public\.refused generated column g0.*to_tsvector.*read with pgoutput: hide it/,
      ),
      expect.stringMatching(/^Table public\.refused generated column g2 .*public\.own\(text\)/),
    ])
    await inPublic('DROP TABLE tidemark.epoch')
  })

  it('FLD-58 VAL-R8 an index over what a replica may lack is the server’s alone, and keeps no table from loading', async () => {
    await inPublic(`CREATE TABLE indexed (id int PRIMARY KEY, body text, mood mood, moods mood[])`)
    for (const [named, over] of [
      ['i_config', `USING gin (to_tsvector('public.plain', body))`],
      ['i_operator', '(id) WHERE body OPERATOR(public.===) body'],
      ['i_function', '(own(body))'],
      ['i_collation', '(body COLLATE "tr-x-icu")'],
      ['i_type', `(id) WHERE mood = 'sad'`],
      ['i_types', `(id) WHERE moods @> '{sad}'`],
      ['i_words', `USING gin (to_tsvector('simple', body))`],
    ])
      await inPublic(`CREATE INDEX ${named} ON indexed ${over}`)
    const shape = { id: integer('id'), body: text('body'), mood: text('mood'), moods: text('moods') }
    const sync = defineSync({ tables: { one: table(pgTable('indexed', shape), { audience: 'all' }) } })
    const { definition } = resolveDefinition(
      sync,
      await readCatalogue(database.query, [{ schema: 'public', name: 'indexed' }]),
    )
    expect(definition.tables[0]?.indexes.map(({ name: index }) => index)).toEqual(['i_type', 'i_types', 'i_words'])
  })

  it('FLD-56 VAL-R6 keys whose collation takes different texts for equal are refused, with what to do', async () => {
    await inPublic(`CREATE COLLATION loose (provider = icu, locale = 'und-u-ks-level1', deterministic = false)`)
    const faultsOf = async (named: string, columns: string) => {
      await inPublic(`CREATE TABLE ${named} (${columns})`)
      const sync = defineSync({
        tables: { one: table(pgTable(named, { id: text('id'), a: text('a') }), { audience: 'all' }) },
      })
      return resolveDefinition(sync, await readCatalogue(database.query, [{ schema: 'public', name: named }])).faults
    }
    expect(await faultsOf('loose_key', 'id text COLLATE loose PRIMARY KEY, a text')).toEqual([
      expect.stringMatching(/^Table public\.loose_key key column id has a collation.*deterministic/),
    ])
    await inPublic('CREATE DOMAIN loosely AS text COLLATE loose')
    expect(await faultsOf('loose_domain', 'id loosely PRIMARY KEY, a text')).toHaveLength(1)
    expect(await faultsOf('loose_unique', 'id text PRIMARY KEY, a text COLLATE loose UNIQUE')).toHaveLength(1)
    expect(await faultsOf('loose_value', 'id text PRIMARY KEY, a text COLLATE loose')).toEqual([])
    expect(await faultsOf('strict_key', 'id text COLLATE "tr-x-icu" PRIMARY KEY, a text')).toEqual([])
  })
})
