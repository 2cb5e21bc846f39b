import { readFileSync } from 'node:fs'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { LOG_EVENTS, LOG_LEVELS, log, logs } from './log.ts'

const NAMES = ['debug', 'info', 'warn', 'error'] as const
beforeEach(() => {
  for (const name of NAMES) vi.spyOn(console, name).mockImplementation(() => {})
})
afterEach(() => vi.restoreAllMocks())
const written = () => NAMES.flatMap((name) => vi.mocked(console[name]).mock.calls.map(([text]) => JSON.parse(text)))

test.each([
  ['debug', ['debug', 'info', 'warn', 'error']],
  ['info', ['info', 'warn', 'error']],
  ['warn', ['warn', 'error']],
  ['error', ['error']],
  ['off', []],
  // What was left out or mistyped must not silence a fault.
  [undefined, ['info', 'warn', 'error']],
  ['verbose', ['info', 'warn', 'error']],
])('OPS-R15 LOG_LEVEL %s writes these levels: %j', (LOG_LEVEL, levels) => {
  for (const level of NAMES) log({ LOG_LEVEL }, 'request-failed', {}, level)
  expect(written().map(({ level }) => level)).toEqual(levels)
  expect(LOG_LEVELS.filter((level) => logs({ LOG_LEVEL }, level))).toEqual(levels)
})

test('OPS-R15 a line is one JSON text of bounded length, written by the console method of its level', () => {
  const clients = Array.from({ length: 5_000 }, (_, index) => `client-${index}`)
  log({ LOG_LEVEL: 'debug' }, 'frames-sent', { count: clients.length, clients })
  const [[text] = []] = vi.mocked(console.debug).mock.calls
  expect(text).not.toContain('\n')
  const line = JSON.parse(text)
  expect(line).toMatchObject({ source: 'tidemark', level: 'debug', event: 'frames-sent', count: 5_000 })
  expect(line.clients).toEqual(clients.slice(0, 100))
})

test('OPS-R15 docs/operate.md names each event', () => {
  const page = readFileSync('docs/operate.md', 'utf8')
  const named = [...page.matchAll(/^\| `([a-z-]+)` \| (?:debug|info|warn|error|of its kind) \|/gm)].map(
    ([, event]) => event,
  )
  expect(named.sort()).toEqual([...LOG_EVENTS].sort())
})
