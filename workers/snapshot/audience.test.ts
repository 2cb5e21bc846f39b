import { expect, test } from 'vitest'
import { isAudience, matchAudience } from './audience.ts'

test.each(['all', 'org:1', 'org:', 'team-2_x:a:b', 'user:Größe 𝔘\n', `org:${'x'.repeat(508)}`])(
  'SNP-R1 %j names an audience',
  (text) => {
    expect(isAudience(text)).toBe(true)
  },
)

test.each([
  '',
  'org',
  'All',
  ':x',
  '1org:x',
  'Org:x',
  'all\n',
  'org:\0',
  'org:\ud800',
  `org:${'x'.repeat(509)}`,
  `org:${'ß'.repeat(255)}`,
])('SNP-R1 SEC-05 %j names none', (text) => {
  expect(isAudience(text)).toBe(false)
})

test('SNP-R1 an audience matches the rule that produces it and no other', () => {
  const rule = { column: 'org_id', prefix: 'org' }
  expect(matchAudience(rule, 'org:a:b')).toEqual({ kind: 'value', column: 'org_id', value: 'a:b' })
  expect(matchAudience(rule, 'org:')).toEqual({ kind: 'value', column: 'org_id', value: '' })
  for (const other of ['orga:1', 'or:1', 'all', 'org']) expect(matchAudience(rule, other)).toBeNull()
  expect(matchAudience({ constant: 'all' }, 'all')).toEqual({ kind: 'every' })
  expect(matchAudience({ constant: 'all' }, 'all:x')).toBeNull()
})
