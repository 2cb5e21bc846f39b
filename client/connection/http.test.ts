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
})
