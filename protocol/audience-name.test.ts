import { expect, test } from 'vitest'
import { isAudienceName } from './audience-name.ts'

test.each(['all', 'org:1', 'org:', 'team-2_x:a:b', 'user:Größe 𝔘\n', `org:${'x'.repeat(508)}`])(
  'SNP-R1 %j names an audience',
  (text) => {
    expect(isAudienceName(text)).toBe(true)
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
  expect(isAudienceName(text)).toBe(false)
})
