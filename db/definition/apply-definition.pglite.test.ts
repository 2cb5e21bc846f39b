import { readdirSync, readFileSync } from 'node:fs'
import { PGlite } from '@electric-sql/pglite'
import { integer, pgTable, text, uuid } from 'drizzle-orm/pg-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { defineSync, table } from '../define-sync.ts'
import type { Query } from '../query.ts'
import { applyDefinition } from './apply-definition.ts'

const MIGRATIONS = new URL('../../migrations/', import.meta.url)

let database: PGlite
let query: Query

beforeAll(async () => {
  database = await PGlite.create()
  for (const name of readdirSync(MIGRATIONS)
    .filter((file) => file.endsWith('.sql'))
    .sort()) {
    await database.exec(readFileSync(new URL(name, MIGRATIONS), 'utf8'))
  }
  type Row = Record<string, string | null>
  // As with Postgres, a text without parameters may hold several statements.
  query = async (text, params = []) =>
    params.length > 0
      ? (await database.query<Row>(text, [...params])).rows
      : ((await database.exec(text)).at(-1)?.rows as Row[])
})
afterAll(() => database.close())

const memo = pgTable('memo', { id: uuid('id'), title: text('title'), length: integer('length') })
const sync = defineSync({ tables: { memo: table(memo, { audience: 'all' }) } })

describe('putting a definition in force', () => {
  it('CAP-18 leaves a table with a stored generated column writable', async () => {
    await database.exec(
      'CREATE TABLE memo (id uuid PRIMARY KEY, title text, length int GENERATED ALWAYS AS (length(title)) STORED)',
    )
    await query('BEGIN')
    await applyDefinition(query, sync)
    await query('COMMIT')
    await database.exec(`INSERT INTO public.memo (id, title) VALUES (gen_random_uuid(), 'one')`)
    await database.exec(`UPDATE public.memo SET title = 'three'`)
    expect((await database.query('SELECT length FROM public.memo')).rows).toEqual([{ length: 5 }])
    await database.exec('DELETE FROM public.memo')
    await database.exec('DROP TABLE public.memo')
  })

  it('CAP-18 refuses a virtual generated column, hidden or not: publishing would make the table unwritable', async () => {
    await database.exec(
      'CREATE TABLE public.memo (id uuid PRIMARY KEY, title text, length int, twice int GENERATED ALWAYS AS (length * 2) VIRTUAL)',
    )
    await query('BEGIN')
    await expect(applyDefinition(query, sync)).rejects.toThrow(/virtual generated column twice.*make it STORED/)
    await query('ROLLBACK')
  })
})
