import { expect, it } from 'vitest'
import { isSameValue } from './same-value.ts'

it('knows one value in its several spellings, by the type', () => {
  const time = 'timestamp with time zone'
  expect(isSameValue(time, '2026-11-30T18:00:37.040Z', '2026-11-30 18:00:37.04+00')).toBe(true)
  expect(isSameValue(time, '2026-11-30T18:00:37Z', '2026-11-30 18:00:38+00')).toBe(false)
  expect(isSameValue('numeric(10,2)', '1.50', '1.5')).toBe(true)
  expect(isSameValue('boolean', 'true', 't')).toBe(true)
  expect(isSameValue('jsonb', '{"a": 1}', '{"a":1}')).toBe(true)
  expect(isSameValue('text', '1.50', '1.5')).toBe(false)
  expect(isSameValue('text', null, '')).toBe(false)
  expect(isSameValue('text', null, undefined)).toBe(false)
})
