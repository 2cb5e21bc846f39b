import { describe, expect, test } from 'vitest'
import { LIMITS } from '../../protocol/index.ts'
import { SessionToken } from './session-token.ts'
import { encodeBase64Url, renewalDelayMs, tokenExpiryMs } from './token.ts'

const part = (value: unknown) => encodeBase64Url(JSON.stringify(value))

describe('token', () => {
  test('the expiry of a JWT is read, and of nothing else', () => {
    expect(tokenExpiryMs(`${part({})}.${part({ sub: 'ä\u{1f30a}', exp: 1_700_000_000 })}.x`)).toBe(1_700_000_000_000)
    for (const token of [
      'opaque',
      `a.${part({})}.b`,
      `a.${part({ exp: 'soon' })}.b`,
      `a.${part(null)}.b`,
      '..',
      'a.%.b',
    ]) {
      expect(tokenExpiryMs(token)).toBeNull()
    }
  })

  test('a renewal is due before the expiry, never at once and never beyond what a timer holds', () => {
    expect(renewalDelayMs(3_600_000, 0)).toBe(3_570_000)
    expect(renewalDelayMs(40_000, 0)).toBe(20_000)
    expect(renewalDelayMs(0, 50_000)).toBe(1_000)
    expect(renewalDelayMs(1e15, 0)).toBe(2 ** 31 - 1)
  })

  test('a token is asked for once, shared, and again when it is forgotten or refused', async () => {
    let calls = 0
    const token = new SessionToken(async () => `token ${++calls}`)
    expect(await Promise.all([token.getToken({ fresh: false }), token.getToken({ fresh: false })])).toEqual([
      'token 1',
      'token 1',
    ])
    expect(await token.getToken({ fresh: false })).toBe('token 1')
    expect(await token.getToken({ fresh: true })).toBe('token 2')
    token.forgetToken()
    expect(await token.getToken({ fresh: false })).toBe('token 3')
    await expect(new SessionToken(() => '').getToken({ fresh: false })).rejects.toMatchObject({
      kind: 'unauthenticated',
    })
    const failing = new SessionToken(() => Promise.reject(new Error('no network')))
    await expect(failing.getToken({ fresh: false })).rejects.toMatchObject({ kind: 'unavailable' })
  })

  test('FLD-206 DIS-R12 a token that no server takes is refused where it is made, and says why', async () => {
    const ofBytes = (bytes: number) => new SessionToken(() => 'x'.repeat(bytes)).getToken({ fresh: false })
    expect(await ofBytes(LIMITS.tokenBytes)).toHaveLength(LIMITS.tokenBytes)
    await expect(ofBytes(LIMITS.tokenBytes + 1)).rejects.toMatchObject({
      kind: 'limit-exceeded',
      retry: 'never',
      message: expect.stringContaining('8193 bytes, and servers take 8192 at most'),
    })
  })
})
