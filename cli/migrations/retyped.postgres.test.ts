import { pgTable, text } from 'drizzle-orm/pg-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { defineSync, readDefinitionInForce, table } from '../../db/index.ts'
import type { Retype } from '../../protocol/index.ts'
import { useEmptyConnection } from '../../testing/cli/create-empty-database.ts'
import { makeApp } from '../../testing/cli/make-app.ts'
import { servers } from '../../testing/postgres/servers.ts'
import { applyMigrations } from './apply-migrations.ts'

const COLUMNS = ['id', 'Amount', 'size', 'state', 'note', 'at', 'code']
const sync = defineSync({
  tables: {
    bill: table(pgTable('bill', Object.fromEntries(COLUMNS.map((name) => [name, text(name)]))), { audience: 'all' }),
  },
})
const app = makeApp({
  'migrations/0001.sql': `
    CREATE SCHEMA own; SET search_path = public, own;
    CREATE TYPE own.state AS ENUM ('open', 'done'); CREATE TYPE own.mood AS ENUM ('open', 'done', 'gone');
    CREATE FUNCTION own.twice(int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT $1 * 2';
    CREATE TABLE bill (id text PRIMARY KEY, "Amount" int NOT NULL DEFAULT 0, size text, state own.state, note varchar(20), at timestamptz, code char(3));
    INSERT INTO bill VALUES ('1', 5, '7', 'done', 'n', '2026-01-01', 'abc')`,
})
const database = useEmptyConnection(servers().embedded)
let files = 1

/** Migrates by one more file, and answers how values of its retyped columns became others. */
async function retypes(sql: string): Promise<Readonly<Record<string, readonly Retype[] | null>>> {
  files += 1
  app.write({ [`migrations/${String(files).padStart(4, '0')}.sql`]: `SET search_path = public, own;\n${sql}` })
  await applyMigrations(database, `${app.folder}/migrations`, sync)
  const inForce = await readDefinitionInForce(database.query)
  const columns = [...(inForce?.steps ?? []), ...(inForce?.names ?? [])].flatMap((step) => step.columns)
  return Object.fromEntries(columns.flatMap(({ name, retyped }) => (retyped === undefined ? [] : [[name, retyped]])))
}

beforeAll(() => applyMigrations(database, `${app.folder}/migrations`, sync))
afterAll(() => app.remove())

test('SCH-R13 the expression that gave a column its type stands with the version, as Postgres read it', async () => {
  const expression = '(("Amount" * 100))::bigint'
  expect(
    await retypes(`ALTER TABLE bill ALTER "Amount" DROP DEFAULT, ALTER note SET DEFAULT '',
      ALTER "Amount" TYPE bigint USING bill."Amount" * 100 -- in cents`),
  ).toEqual({ Amount: [{ column: 'Amount', from: 'integer', to: 'bigint', expression }] })
  // One that keeps the type is one as well.
  expect(await retypes('ALTER TABLE bill ALTER "Amount" TYPE bigint USING "Amount" / 10')).toEqual({
    Amount: [{ column: 'Amount', from: 'bigint', to: 'bigint', expression: '("Amount" / 10)' }],
  })
})

test('SCH-R13 without an expression the value is assigned, and several statements follow one another', async () => {
  expect(
    await retypes(`ALTER TABLE bill ALTER size TYPE numeric(10, 2) USING size::numeric;
      ALTER TABLE bill ALTER size SET DEFAULT 3; ALTER TABLE bill ALTER COLUMN size SET DATA TYPE int`),
  ).toEqual({
    size: [
      { column: 'size', from: 'text', to: 'numeric', expression: '(size)::numeric' },
      { column: 'size', from: 'numeric', to: 'integer', expression: '(size)::integer' },
    ],
  })
})

test('SCH-R13 a type that without a length would be of one character is named so that it cuts nothing', async () => {
  expect(await retypes('ALTER TABLE bill ALTER code TYPE text')).toEqual({
    code: [{ column: 'code', from: 'bpchar', to: 'text', expression: '(code)::text' }],
  })
})

test('SCH-R13 an enum is said of the texts of its labels where that holds', async () => {
  expect(await retypes('ALTER TABLE bill ALTER state TYPE mood USING state::text::mood')).toEqual({
    state: [{ column: 'state', from: 'text', to: 'own.mood', expression: '(state)::own.mood' }],
  })
  const chosen = `CASE state WHEN 'open' THEN 'o' ELSE state::text END`
  expect(await retypes(`ALTER TABLE bill ALTER state TYPE text USING ${chosen}`)).toMatchObject({
    state: [{ column: 'state', from: 'text', to: 'text', expression: expect.stringContaining('CASE') }],
  })
})

test('SCH-R13 what reads another column, or might be computed otherwise elsewhere, is told as not known', async () => {
  expect(await retypes('ALTER TABLE bill ALTER note TYPE text USING note || size')).toEqual({ note: null })
  expect(await retypes('ALTER TABLE bill ALTER size TYPE bigint USING twice(size)')).toEqual({ size: null })
  expect(await retypes('ALTER TABLE bill ALTER note TYPE varchar(30) USING lower(note)')).toEqual({ note: null })
  expect(await retypes(`ALTER TABLE bill ALTER at TYPE timestamp`)).toEqual({ at: null })
  expect(await retypes(`ALTER TABLE bill ALTER size TYPE int USING size + (random() * 9)::int`)).toEqual({ size: null })
  const hidden = `DO $$ BEGIN ALTER TABLE bill ALTER size TYPE bigint USING size * 2; END $$`
  expect(await retypes(hidden)).toEqual({ size: null })
  // An expression that is known does not stand for one that is not.
  expect(await retypes(`${hidden}; ALTER TABLE bill ALTER size TYPE int`)).toEqual({ size: null })
})

test('SCH-R13 what rewrites a table otherwise leaves the values of its columns', async () => {
  const rewritten = 'ALTER TABLE bill ADD made uuid DEFAULT gen_random_uuid(), ALTER note SET NOT NULL'
  expect(await retypes(rewritten)).toEqual({})
  expect(await retypes('ALTER TABLE bill ALTER size TYPE bigint; ALTER TABLE bill ALTER note TYPE text')).toEqual({
    size: [{ column: 'size', from: 'integer', to: 'bigint', expression: '(size)::bigint' }],
  })
})
