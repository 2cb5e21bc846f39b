import { expect, test } from 'vitest'
import { judgeAudit } from './audit-verdict.ts'

test.each([
  ['no finding', '{"metadata":{"vulnerabilities":{"low":3,"moderate":1,"high":0,"critical":0}}}', false],
  ['a high one', '{"metadata":{"vulnerabilities":{"low":0,"high":1,"critical":0}}}', true],
  ['a critical one', '{"metadata":{"vulnerabilities":{"critical":2}}}', true],
  ['a registry that does not answer', '{"message":"405 Method Not Allowed","method":"POST"}', false],
  ['no network', 'npm error audit endpoint returned an error', false],
  ['nothing', '', false],
])('an audit with %s is judged', (_, printed, isBad) => {
  expect(judgeAudit(printed).isBad).toBe(isBad)
})
