import { and, eq, isNull, sql } from 'drizzle-orm'
import { pgTable, text } from 'drizzle-orm/pg-core'
import { expect, it } from 'vitest'
import { conditionFaults, conditionText, isKnownToReplicas } from './condition-text.ts'

const page = pgTable('page', { id: text('id'), state: text('state'), deletedAt: text('deleted "at"') })
const other = pgTable('other', { id: text('id') })

it('writes a condition with bare columns and its parameters in place, whatever it is made of', () => {
  expect(conditionText(sql`${page.deletedAt} IS NULL`)).toBe('"deleted ""at""" IS NULL')
  const both = and(isNull(page.deletedAt), eq(page.state, "it's"))
  expect(both && conditionText(both)).toBe(`("deleted ""at""" is null and "state" = 'it''s')`)
})

it('names a column of another table, and a condition that says nothing', () => {
  expect(conditionFaults(sql`${page.state} = ${other.id}`, page)).toEqual([
    'names column id of table other: take columns of page alone',
  ])
  expect(conditionFaults(sql` `, page)[0]).toContain('is empty')
  expect(conditionFaults(sql`${page.state} IS NULL`, page)).toEqual([])
})

it('AUD-R6 knows what a replica cannot decide: a column that it lacks, and whatever is named by a schema', () => {
  const known = (when: string) => isKnownToReplicas(when, ['id', 'state', 'Secret', 'hush'], ['id', 'state'])
  expect(known(`state = 'public.secret' AND length("state") > 1.5`)).toBe(true)
  expect(known('"Secret" IS NULL')).toBe(false)
  expect(known('HUSH IS NULL')).toBe(false)
  expect(known('secret IS NULL')).toBe(true)
  expect(known('public.is_open(state)')).toBe(false)
  expect(known(`state = 'open'::public.state`)).toBe(false)
})
