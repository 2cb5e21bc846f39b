import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, it } from 'vitest'
import { untilUp } from './worker-health.ts'

const closing: (() => void)[] = []
afterEach(() => {
  for (const close of closing.splice(0)) close()
})

/** Answers as a Worker does whose capture gives this health, one after the other, the last for ever. */
async function serveHealth(healths: readonly object[]): Promise<{ url: string; looks(): number }> {
  let looks = 0
  const server = createServer((request, response) => {
    const isCapture = request.url === '/health/replication'
    const body = isCapture ? healths[Math.min(looks++, healths.length - 1)] : { status: 'ok' }
    response.setHeader('content-type', 'application/json').end(JSON.stringify(body))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closing.push(() => server.close())
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, looks: () => looks }
}

const red = (message: string) => ({
  status: 'fail',
  lastCycleAt: null,
  checks: [
    { name: 'cycle', status: 'warn', message: 'No cycle yet.' },
    { name: 'error', status: 'fail', message },
  ],
})
const GREEN = { status: 'ok', lastCycleAt: '2026-01-01T00:00:00.000Z', checks: [] }
const never = new Promise<string>(() => {})

it('CLI-R57 dev says what keeps capture from running once it has stood in the way for a while, once each', async () => {
  const locked = 'The slot is in use.'
  const served = await serveHealth([
    ...Array.from({ length: 12 }, (_, look) => red(`${locked} (${look} cycles in a row)`)),
    ...Array<object>(3).fill(red('A moment.')),
    GREEN,
  ])
  const lines: string[] = []
  expect(await untilUp(served.url, 'token', never, (line) => lines.push(line))).toBeNull()
  expect(lines).toEqual([expect.stringContaining(locked)])
  expect(served.looks()).toBe(16)
})

it('CLI-R57 it goes on where the app answers something else there, and ends with what failed', async () => {
  const other = await serveHealth([{ mine: true }])
  expect(await untilUp(other.url, 'token', never, () => {})).toBeNull()
  const held = await serveHealth([red('Not yet.')])
  expect(await untilUp(held.url, 'token', Promise.resolve('It does not build.'), () => {})).toBe('It does not build.')
})
