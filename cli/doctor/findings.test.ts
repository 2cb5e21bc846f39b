import { expect, test } from 'vitest'
import type { HealthCheck } from '../../workers/contracts.ts'
import { findingLines, verdict } from './findings.ts'

const check = (status: HealthCheck['status'], fields: Partial<HealthCheck> = {}): HealthCheck => ({
  name: 'retained WAL',
  status,
  value: null,
  threshold: null,
  unit: null,
  message: '',
  ...fields,
})

test('OPS-04 CLI-R12 a finding shows its figures, and its remedy below', () => {
  expect(findingLines(check('ok', { value: 12, threshold: 100, unit: 'MB' }))).toBe(
    '  ok    retained WAL: 12 MB (limit 100 MB)',
  )
  expect(findingLines(check('fail', { message: 'Lost.\nMake it anew.' }))).toBe(
    '  FAIL  retained WAL\n        Lost.\n        Make it anew.',
  )
})

test('OPS-04 CLI-R12 the last line counts failures before warnings', () => {
  expect(verdict([check('ok')])).toBe('Ready.')
  expect(verdict([check('ok'), check('warn')])).toBe('Ready, with 1 warning.')
  expect(verdict([check('fail'), check('warn'), check('fail')])).toBe('2 checks failed: mend and run this again.')
})
