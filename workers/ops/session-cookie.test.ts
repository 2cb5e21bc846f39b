import { expect, test } from 'vitest'
import { openSession, sealSession } from './session-cookie.ts'

const TOKEN = 'an admin token'
const session = { by: 'Zoë', expiresAtMs: 1_000 }

test('OPS-R8 SEC-13 a session is what was sealed, until it runs out, and holds no token', async () => {
  const value = await sealSession(session, TOKEN)
  expect(await openSession(value, TOKEN, 999)).toEqual(session)
  expect(await openSession(value, TOKEN, 1_000)).toBeNull()
  expect(value).toMatch(/^v1\.[\w-]+\.[\w-]{43}$/)
  expect(atob(value.split('.')[1]?.replaceAll('-', '+').replaceAll('_', '/') ?? '')).not.toContain(TOKEN)
})

test('OPS-R8 a session that was altered, or made with another token, is none', async () => {
  const value = await sealSession(session, TOKEN)
  const [version, payload, signature] = value.split('.')
  const longer = btoa(JSON.stringify({ by: 'x', expiresAtMs: 9e9 })).replaceAll('=', '')
  expect(await openSession(value, 'another token', 0)).toBeNull()
  for (const forged of [
    `${version}.${longer}.${signature}`,
    `${version}.${payload}.${'A'.repeat(43)}`,
    `${version}.${payload}.`,
    `${version}.${payload}`,
    `v2.${payload}.${signature}`,
    `${value}.more`,
    '',
    TOKEN,
  ])
    expect(await openSession(forged, TOKEN, 0)).toBeNull()
})
