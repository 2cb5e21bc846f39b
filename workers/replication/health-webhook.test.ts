import { createHmac } from 'node:crypto'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { ReplicationHealth } from '../contracts.ts'
import { HealthWebhook } from './health-webhook.ts'
import { NOTHING_TOLD, type NoticeState } from './rules/verdict-notice.ts'

const SECRET = 'secret-of-the-webhook'
const ADDRESS = 'https://hooks.example/secret-path'

let receiver: Server
let received: { readonly body: string; readonly signature: string; readonly id: string }[]
let answers: number[]
let work: Promise<void>[]
let now: number

beforeEach(async () => {
  received = []
  answers = []
  work = []
  now = 1_000_000
  receiver = createServer(async (request, response) => {
    let body = ''
    for await (const piece of request) body += piece
    const { 'x-tidemark-signature': signature = '', 'x-tidemark-delivery': id = '' } = request.headers
    received.push({ body, signature: String(signature), id: String(id) })
    response.writeHead(answers.shift() ?? 204, { location: 'https://elsewhere.example' }).end('an answer')
  })
  await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve))
})
afterEach(() => {
  receiver.close()
  vi.restoreAllMocks()
})

function start(
  storage: { notice: NoticeState },
  env: object = { HEALTH_WEBHOOK_URL: ADDRESS, HEALTH_WEBHOOK_SECRET: SECRET },
) {
  return new HealthWebhook({
    env,
    storage,
    nowMs: () => now,
    random: () => 0.5,
    newId: () => crypto.randomUUID(),
    // The receiver speaks no TLS; everything else is as it is sent.
    send: (url, init) =>
      fetch(url.replace('https://hooks.example', `http://127.0.0.1:${(receiver.address() as AddressInfo).port}`), init),
    background: (one) => void work.push(one),
  })
}
const verdict = (status: 'ok' | 'warn' | 'fail') => ({ status, checks: [] }) as unknown as ReplicationHealth
async function see(webhook: HealthWebhook, status: 'ok' | 'warn' | 'fail'): Promise<void> {
  webhook.note(verdict(status))
  await Promise.all(work.splice(0))
}

test('OPS-06 OPS-R6 a change is told once, signed, and so is the recovery', async () => {
  const storage = { notice: NOTHING_TOLD }
  const webhook = start(storage)
  await see(webhook, 'ok')
  // Seen many times while it is sent, and after.
  for (let look = 0; look < 5; look += 1) webhook.note(verdict('fail'))
  await see(webhook, 'fail')
  now += 70_000
  // Another instance knows what was told.
  const next = start(storage)
  await see(next, 'fail')
  await see(next, 'ok')
  await see(next, 'ok')
  expect(received.map(({ body }) => JSON.parse(body)).map(({ status, before }) => [before, status])).toEqual([
    ['ok', 'fail'],
    ['fail', 'ok'],
  ])
  for (const { body, signature, id } of received) {
    const [, seconds = '', given] = /^t=(\d+),v1=(.+)$/.exec(signature) ?? []
    expect(given).toBe(createHmac('sha256', SECRET).update(`${seconds}.${body}`).digest('hex'))
    expect(JSON.parse(body).id).toBe(id)
    expect(body).not.toContain(SECRET)
  }
})

test('OPS-R6 what does not arrive is sent again as it was, to no other address, and nothing secret is logged', async () => {
  const logged = vi.spyOn(console, 'warn').mockImplementation(() => {})
  const storage = { notice: NOTHING_TOLD }
  const webhook = start(storage)
  answers = [500, 302]
  await see(webhook, 'warn')
  await see(webhook, 'warn')
  expect(received).toHaveLength(1)
  for (let turn = 0; turn < 3; turn += 1) {
    now = webhook.dueMs ?? now
    await see(webhook, 'warn')
  }
  expect(received).toHaveLength(3)
  expect(new Set(received.map(({ body }) => body)).size).toBe(1)
  expect(storage.notice).toMatchObject({ told: 'warn', pending: null })
  const lines = logged.mock.calls.map(([line]) => String(line))
  expect(lines).toHaveLength(2)
  expect(lines.join('\n')).not.toMatch(/secret|hooks|answer|elsewhere/)
})

test.each([
  ['plain HTTP', { HEALTH_WEBHOOK_URL: ADDRESS.replace('https', 'http'), HEALTH_WEBHOOK_SECRET: SECRET }],
  ['no secret', { HEALTH_WEBHOOK_URL: ADDRESS }],
])('OPS-R6 with %s nothing is sent, and health says so', async (_, env) => {
  const webhook = start({ notice: NOTHING_TOLD }, env)
  await see(webhook, 'fail')
  expect([received, webhook.dueMs]).toEqual([[], null])
  expect(webhook.check).toMatchObject({ status: 'warn', message: expect.not.stringContaining('secret-path') })
})

test('OPS-R6 without an address there is no check, with a good one a good check', () => {
  expect(start({ notice: NOTHING_TOLD }, {}).check).toBeNull()
  expect(start({ notice: NOTHING_TOLD }).check).toMatchObject({ status: 'ok', message: '' })
})
