import { describe, expect, test } from 'vitest'
import { createHttp } from './http.ts'

const never = new AbortController().signal
const answering = (status: number, body: string) =>
  createHttp(
    'https://tidemark.test',
    async () => 'token',
    async () => new Response(body, { status }),
  )

describe('requests', () => {
  test('APP-R15 an answer has the kind that the server says, else that of its status', async () => {
    const cases = [
      [413, '{"kind":"limit-exceeded","message":"A row is too large."}', 'limit-exceeded', 'A row is too large.'],
      [500, '{"kind":"schema-drift","message":"Later."}', 'schema-drift', 'Later.'],
      [500, '{"kind":"misconfigured","message":"Later."}', 'misconfigured', 'Later.'],
      [413, '<html>', 'limit-exceeded', '413'],
      [500, '<html>', 'unavailable', '500'],
      [502, '{"kind":"constructor","message":"x"}', 'unavailable', '502'],
      [404, '', 'not-found', '404'],
    ] as const
    for (const [status, body, kind, text] of cases) {
      const fault = await answering(status, body)
        .json('/sync/head', never)
        .catch((error: unknown) => error)
      expect(fault).toMatchObject({ kind, message: expect.stringContaining(text) })
    }
  })

  test('OUT-18 a posted JSON is the body, a refused token is renewed once, and Retry-After is told', async () => {
    const calls: { method: string | undefined; body: unknown; token: string | null; type: string | null }[] = []
    const answers = [
      new Response('', { status: 401 }),
      new Response('', { status: 429, headers: { 'retry-after': '7' } }),
      new Response('', { status: 503, headers: { 'retry-after': new Date(Date.now() + 60_000).toUTCString() } }),
      new Response('', { status: 503, headers: { 'retry-after': 'soon' } }),
      new Response('{"fine":true}'),
    ]
    const http = createHttp(
      'https://tidemark.test',
      async ({ fresh }) => (fresh ? 'new' : 'old'),
      async (_url, init) => {
        const headers = new Headers(init?.headers)
        const [token, type] = [headers.get('authorization'), headers.get('content-type')]
        calls.push({ method: init?.method, body: init?.body, token, type })
        return answers.shift() ?? Response.error()
      },
    )
    const failing = () => http.post('/sync/push', '{"a":1}', never).catch((error: unknown) => error)
    expect(await failing()).toMatchObject({ kind: 'rate-limited', retryAfterMs: 7_000 })
    const sent = { method: 'POST', body: '{"a":1}', type: 'application/json' }
    expect(calls).toEqual([
      { ...sent, token: 'Bearer old' },
      { ...sent, token: 'Bearer new' },
    ])
    const dated = (await failing()) as { kind: string; retryAfterMs: number }
    expect(dated.kind).toBe('unavailable')
    expect(dated.retryAfterMs).toBeGreaterThan(50_000)
    expect(dated.retryAfterMs).toBeLessThanOrEqual(60_000)
    expect(await failing()).toMatchObject({ kind: 'unavailable', retryAfterMs: null })
    expect(await http.post('/sync/push', '{}', never)).toEqual({ fine: true })
  })
})
