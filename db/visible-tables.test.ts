import { eq } from 'drizzle-orm'
import { getTableConfig, integer, PgDialect, pgTable, QueryBuilder, text } from 'drizzle-orm/pg-core'
import { expect, expectTypeOf, test } from 'vitest'
import { defineSync, table, visibleTables } from './index.ts'

const person = pgTable('person', {
  id: integer('id').primaryKey(),
  name: text('name'),
  passwordHash: text('password_hash'),
})
const note = pgTable('note', { id: integer('id').primaryKey(), by: integer('by') })
const sync = defineSync({
  tables: {
    person: table(person, { audience: 'all', hidden: ['password_hash'] }),
    note: table(note, { audience: 'all' }),
  },
})

test('CLI-R50 FLD-255 tables as replicas have them lack the hidden columns, in types and in queries, and leave the others as they are', () => {
  const visible = visibleTables(sync)
  expect(visible.note).toBe(note)
  expectTypeOf<keyof typeof visible.person.$inferSelect>().toEqualTypeOf<'id' | 'name'>()
  expectTypeOf<keyof typeof visible.note.$inferSelect>().toEqualTypeOf<'id' | 'by'>()
  expect('passwordHash' in visible.person).toBe(false)
  expect(getTableConfig(visible.person)).toMatchObject({ name: 'person', columns: [{ name: 'id' }, { name: 'name' }] })
  const query = new QueryBuilder()
    .select()
    .from(visible.person)
    .innerJoin(visible.note, eq(visible.note.by, visible.person.id))
  expect(new PgDialect().sqlToQuery(query.getSQL()).sql).toBe(
    'select "person"."id", "person"."name", "note"."id", "note"."by" from "person" inner join "note" on "note"."by" = "person"."id"',
  )
  // The definition itself is untouched, and the server goes on with all columns.
  expect(Object.keys(getTableConfig(person).columns)).toHaveLength(3)
  expect(person.passwordHash.name).toBe('password_hash')
})
