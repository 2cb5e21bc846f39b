import { expect, test } from 'vitest'
import { column, defineTable } from '../../../testing/replica/definitions.ts'
import { unknownRetypes } from './unknown-retypes.ts'

const definition = (...columns: ReturnType<typeof column>[]) => ({ types: [], tables: [defineTable('bill', columns)] })

test('MIG-R10 columns of other types are named where nobody tells what became of them, and no others', () => {
  const before = definition(
    column('id'),
    column('amount', 'integer'),
    column('note', 'character varying(9)'),
    column('gone'),
  )
  const after = definition(column('id'), column('amount', 'bigint'), column('note'), column('more'))
  const its = unknownRetypes(before, after).get('public.bill')
  expect([...(its?.retyped ?? [])]).toEqual([['amount', null]])
  expect([...(its?.columns.keys() ?? [])]).toEqual(['id', 'amount', 'note', 'gone'])
  expect(unknownRetypes(before, definition(column('id'), column('amount', 'integer'))).size).toBe(0)
  expect(unknownRetypes(before, { types: [], tables: [] }).size).toBe(0)
})
