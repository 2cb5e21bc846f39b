import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { LIMITS } from './limits.ts'

/** Limits that are times, or no bound of anything. */
const ELSEWHERE = ['protocolVersion', 'pingIntervalMs', 'silenceMs', 'reconnectBaseMs', 'reconnectMaxMs']

test('SEC-12 the page of limits tells each of them as it is', () => {
  const page = readFileSync(join(import.meta.dirname, '..', 'docs', 'limits.md'), 'utf8')
  const told = [...page.matchAll(/^\| [^|]*\(`(\w+)`\) \| ([\d,]+) \|/gm)].map(
    ([, name = '', value = '']) => [name, Number(value.replaceAll(',', ''))] as const,
  )
  const bounds = Object.entries(LIMITS).filter(([name]) => !ELSEWHERE.includes(name))
  expect(Object.fromEntries(told)).toEqual(Object.fromEntries(bounds))
})
