import { expect, test } from 'vitest'
import { bundleStanding } from './bundle-standing.ts'

test.each([
  [undefined, '0005.sql', '0007.sql', 'fits'],
  ['0004.sql', '0005.sql', '0007.sql', 'outdated'],
  ['0005.sql', '0005.sql', '0007.sql', 'fits'],
  ['0007.sql', '0005.sql', '0007.sql', 'fits'],
  ['0008.sql', '0005.sql', '0007.sql', 'ahead'],
  ['0008.sql', null, '0007.sql', 'ahead'],
  ['0001.sql', null, '0007.sql', 'fits'],
  // Where Tidemark ran no migration, it cannot know which ones have run.
  ['0001.sql', null, null, 'fits'],
] as const)(
  'MIG-12 MIG-R7 a bundle of %s where %s broke and %s ran last: %s',
  (migration, oldest, latest, standing) => {
    expect(bundleStanding(migration, { oldest, latest })).toBe(standing)
  },
)
