import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { TidemarkError } from '../../protocol/index.ts'
import type { AppEnv } from './access.ts'
import { jwt } from './jwt.ts'

const SECRET = 'a secret of at least thirty-two bytes'
const env: AppEnv = { DATABASE_URL: 'postgres://', JWT_SECRET: SECRET }
const audiences = () => ['all']
const secret = (text: string) => new TextEncoder().encode(text)
const claims = () => new SignJWT({ team: 'x' }).setSubject('u').setExpirationTime('1h')
const kindOf = async (run: () => unknown) => {
  try {
    return await run()
  } catch (error) {
    return error instanceof TidemarkError ? error.kind : error
  }
}

describe('a shared secret', () => {
  const signed = (make = claims(), key = SECRET, alg = 'HS256') => make.setProtectedHeader({ alg }).sign(secret(key))

  it('SEC-01 DIS-R12 verifies HS256 with exp and sub, the secret given or read from the environment', async () => {
    for (const given of [SECRET, ({ JWT_SECRET }: Readonly<Record<string, string | undefined>>) => JWT_SECRET]) {
      const { authenticate } = jwt({ secret: given, audiences })
      const identity = await authenticate({ token: await signed(), env })
      expect(identity).toMatchObject({ userId: 'u', claims: { team: 'x' } })
      expect(identity?.expiresAtMs).toBeGreaterThan(Date.now())
    }
  })

  it('SEC-01 refuses other secrets, other algorithms, other issuers and audiences', async () => {
    const { authenticate } = jwt({ secret: SECRET, issuer: 'us', audience: 'app', audiences })
    const good = () => claims().setIssuer('us').setAudience('app')
    expect(await authenticate({ token: await signed(good()), env })).not.toBeNull()
    const bad = [
      signed(good(), 'another secret of thirty-two bytes, yes'),
      signed(good(), SECRET, 'HS384'),
      signed(claims().setAudience('app')),
      signed(claims().setIssuer('us').setAudience('other')),
      'a.b.c',
      '',
    ]
    for (const token of bad) expect(await authenticate({ token: await token, env })).toBeNull()
  })

  it('SEC-01 says that an expired token has expired', async () => {
    const { authenticate } = jwt({ secret: SECRET, audiences })
    const token = await signed(claims().setExpirationTime(1_000))
    expect(await kindOf(() => authenticate({ token, env }))).toBe('token-expired')
  })

  it('DIS-R16 refuses weak or missing secrets with what to do', async () => {
    expect(() => jwt({ secret: 'short', audiences })).toThrow(/at least 32 bytes/)
    const { authenticate } = jwt({ secret: () => undefined, audiences })
    expect(await kindOf(async () => authenticate({ token: await signed(), env }))).toBe('misconfigured')
    expect(() => jwt({ audiences } as unknown as Parameters<typeof jwt>[0])).toThrow(/secret.*jwksUrl/)
  })
})

describe('a key set', () => {
  let url = ''
  let broken = false
  let privateKey: CryptoKey
  let publicText = ''
  const server = createServer((_request, response) => {
    response.statusCode = broken ? 500 : 200
    response.end(publicText)
  })
  beforeAll(async () => {
    const pair = await generateKeyPair('ES256')
    privateKey = pair.privateKey
    publicText = JSON.stringify({ keys: [{ ...(await exportJWK(pair.publicKey)), kid: 'k', alg: 'ES256' }] })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks.json`
  })
  afterAll(() => new Promise((resolve) => server.close(resolve)))

  it('SEC-01 verifies its own signatures, and no HS256 made with its public text', async () => {
    const { authenticate } = jwt({ jwksUrl: url, audiences })
    const token = await claims().setProtectedHeader({ alg: 'ES256', kid: 'k' }).sign(privateKey)
    expect(await authenticate({ token, env })).toMatchObject({ userId: 'u' })
    const confused = await claims().setProtectedHeader({ alg: 'HS256', kid: 'k' }).sign(secret(publicText))
    expect(await authenticate({ token: confused, env })).toBeNull()
    const stranger = await generateKeyPair('ES256')
    const forged = await claims().setProtectedHeader({ alg: 'ES256', kid: 'k' }).sign(stranger.privateKey)
    expect(await authenticate({ token: forged, env })).toBeNull()
  })

  it('DIS-R12 is `unavailable`, not a refusal, while it cannot be fetched', async () => {
    broken = true
    const { authenticate } = jwt({ jwksUrl: () => url, audiences })
    const token = await claims().setProtectedHeader({ alg: 'ES256', kid: 'k' }).sign(privateKey)
    expect(await kindOf(() => authenticate({ token, env }))).toBe('unavailable')
    broken = false
  })
})
