import { expect, test } from 'vitest'
import { matchAudience } from './audience.ts'

test('SNP-R1 an audience matches the rule that produces it and no other', () => {
  const rule = { column: 'org_id', prefix: 'org' }
  expect(matchAudience(rule, 'org:a:b')).toEqual({ kind: 'value', column: 'org_id', value: 'a:b' })
  expect(matchAudience(rule, 'org:')).toEqual({ kind: 'value', column: 'org_id', value: '' })
  for (const other of ['orga:1', 'or:1', 'all', 'org']) expect(matchAudience(rule, other)).toBeNull()
  expect(matchAudience({ constant: 'all' }, 'all')).toEqual({ kind: 'every' })
  expect(matchAudience({ constant: 'all' }, 'all:x')).toBeNull()
})
