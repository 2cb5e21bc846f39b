import { expect, test } from 'vitest'
import type { Definition } from '../../../protocol/index.ts'
import { baseType } from './base-type.ts'

const types: Definition['types'] = [
  { schema: 'public', name: 'state', statement: `CREATE TYPE public.state AS ENUM ('on', 'off')` },
  { schema: 'public', name: 'price', statement: 'CREATE DOMAIN public.price AS numeric(10,2)' },
  { schema: 'public', name: 'tags', statement: 'CREATE DOMAIN public.tags AS text[]' },
  { schema: 'Shop', name: 'Ware "x"', statement: 'CREATE DOMAIN "Shop"."Ware ""x""" AS text' },
]

test.each([
  ['integer', 'integer'],
  ['numeric(10,2)', 'numeric(10,2)'],
  ['text[]', 'text[]'],
  ['public.price', 'numeric(10,2)'],
  ['public.price[]', 'numeric(10,2)[]'],
  ['public.tags', 'text[]'],
  ['"Shop"."Ware ""x"""', 'text'],
])('FLD-76 PSH-R23 a value of %s is read by %s', (type, base) => {
  expect(baseType(type, types)).toBe(base)
})

test.each(['public.state', 'public.state[]', 'public.unknown', 'other.price'])('%s is over nothing else', (type) => {
  expect(baseType(type, types)).toBe(type)
})

test('an array of a domain over arrays is read as what it is: Postgres has no type for what it is over', () => {
  expect(baseType('public.tags[]', types)).toBe('public.tags[]')
})
