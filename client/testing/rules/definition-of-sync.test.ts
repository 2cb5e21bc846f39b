import { sql } from 'drizzle-orm'
import { char, integer, pgSchema, primaryKey, text, timestamp, unique, varchar } from 'drizzle-orm/pg-core'
import { expect, it } from 'vitest'
import { defineSync, table } from '../../../db/define-sync.ts'
import { todoSync } from '../../../testing/replica/todo-sync.ts'
import { definitionOfSync } from './definition-of-sync.ts'

it('reads columns, types, keys and defaults out of drizzle tables', () => {
  const { types, tables } = definitionOfSync(todoSync)
  expect(types).toEqual([
    { schema: 'public', name: 'urgency', statement: `CREATE TYPE "public"."urgency" AS ENUM ('low', 'high')` },
  ])
  expect(tables.map(({ id, write, primaryKey: key }) => [id, write, key])).toEqual([
    ['public.item', 'all', ['id']],
    ['public.list', undefined, ['id']],
  ])
  const plain = { notNull: true, generated: null }
  expect(tables[0]?.columns.slice(4)).toEqual([
    { ...plain, name: 'done', type: 'boolean', default: "'false'" },
    { ...plain, name: 'rank', type: 'integer', default: "'1'" },
    { ...plain, name: 'urgency', type: 'public.urgency', default: "'low'" },
    { ...plain, name: 'number', type: 'integer', serverDefault: true },
    { ...plain, name: 'created_at', type: 'timestamp with time zone', default: 'now()' },
  ])
})

it('spells types as Postgres does, leaves hidden columns out, and knows composite keys and unique columns', () => {
  const place = pgSchema('shop').table(
    'place',
    {
      org: text('org').notNull(),
      code: varchar('code', { length: 8 }).notNull(),
      sign: char('sign', { length: 2 }).unique(),
      at: timestamp('at'),
      double: integer('double').generatedAlwaysAs(sql`1 + 1`),
      secret: text('secret'),
    },
    (columns) => [primaryKey({ columns: [columns.org, columns.code] }), unique().on(columns.org, columns.at)],
  )
  const audience = { column: place.org, prefix: 'org' }
  const sync = defineSync({ tables: { place: table(place, { audience, hidden: ['secret'], write: 'all' }) } })
  const [made] = definitionOfSync(sync).tables
  expect(made?.id).toBe('shop.place')
  expect(made?.primaryKey).toEqual(['org', 'code'])
  expect(made?.uniques.map(({ columns }) => columns)).toEqual([['sign'], ['org', 'at']])
  expect(made?.columns.map(({ name, type, generated }) => [name, type, generated])).toEqual([
    ['org', 'text', null],
    ['code', 'character varying(8)', null],
    ['sign', 'character(2)', null],
    ['at', 'timestamp without time zone', null],
    ['double', 'integer', '1 + 1'],
  ])
})
