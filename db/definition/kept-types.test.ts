import { expect, it } from 'vitest'
import { printedAs } from './kept-types.ts'

const printed = (type: string, base: string | null = null, labels: string[] = []) => printedAs({ type, base, labels })

it.each([
  ['character varying(10)', 'text'],
  ['character varying(10)', 'character varying'],
  ['character varying(10)[]', 'text[]'],
  ['numeric(10,2)', 'numeric'],
  ['timestamp(3) without time zone', 'timestamp without time zone'],
  ['bit varying(3)', 'bit varying(8)'],
])('SCH-R3 %s prints its bytes as %s does', (one, other) => {
  expect(printed(one)).toBe(printed(other))
})

it.each([
  ['timestamp with time zone', 'timestamp without time zone'],
  ['cidr', 'inet'],
  ['integer', 'oid'],
  ['character(3)', 'text'],
  ['text', 'text[]'],
])('SCH-R3 %s does not print its bytes as %s does', (one, other) => {
  expect(printed(one)).not.toBe(printed(other))
})

it('SCH-R3 a domain prints as its base, and any enum by its labels', () => {
  expect(printed('public.short', 'character varying(3)')).toBe(printed('text'))
  expect(printed('public.short[]', 'integer')).toBe(printed('integer[]'))
  expect(printed('public.state', null, ['a'])).toBe(printed('public.other', null, ['b']))
  expect(printed('public.state[]', null, ['a'])).not.toBe(printed('public.state', null, ['a']))
})
