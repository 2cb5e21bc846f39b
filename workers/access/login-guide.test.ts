import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { build } from 'esbuild'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { readGuide } from '../../testing/cli/read-guide.ts'
import type { AppEnv, ClientSql } from './access.ts'
import type { jwt } from './jwt.ts'

/** The modules of the guide, with keys made here in place of each provider's. */
const modules = readGuide('login.md').filter((block) => block.title !== null)
const folder = mkdtempSync(join(tmpdir(), 'tidemark-login-'))
let origin = ''
let keys = '{"keys":[]}'
const server = createServer((_request, response) => response.end(keys))
beforeAll(() => new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve)))
beforeAll(() => {
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterAll(() => new Promise((resolve) => server.close(resolve)))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

interface LoginModule {
  readonly login: ReturnType<typeof jwt>
  readonly makeToken?: (userId: string, orgs: string[], secret: string) => Promise<string>
}

/** Bundles a module of the guide with the sources in place of the package. */
async function load(title: string): Promise<LoginModule> {
  const text = modules.find((block) => block.title === title)?.text ?? ''
  const outfile = join(folder, title.replace('/', '-').replace('.ts', '.mjs'))
  const { outputFiles } = await build({
    stdin: { contents: text, loader: 'ts', resolveDir: import.meta.dirname },
    alias: { 'tidemark/workers': join(import.meta.dirname, 'jwt.ts') },
    bundle: true,
    format: 'esm',
    platform: 'node',
    write: false,
  })
  writeFileSync(outfile, outputFiles[0]?.text ?? '')
  return (await import(pathToFileURL(outfile).href)) as LoginModule
}

/** Signs claims with a fresh key of an algorithm, and serves its public half. */
async function sign(alg: string, claims: Record<string, unknown>): Promise<string> {
  const { privateKey, publicKey } = await generateKeyPair(alg)
  keys = JSON.stringify({ keys: [{ ...(await exportJWK(publicKey)), kid: 'one', alg }] })
  return await new SignJWT(claims).setProtectedHeader({ alg, kid: 'one' }).setExpirationTime('1m').sign(privateKey)
}

async function enter({ login }: LoginModule, token: string, env: Record<string, string>, rows: { org: string }[] = []) {
  const whole: AppEnv = { DATABASE_URL: 'postgres://', ...env }
  const identity = await login.authenticate({ token, env: whole })
  if (identity === null) return null
  const sql = (async () => rows) as unknown as ClientSql
  return await login.audiences({ userId: identity.userId, claims: identity.claims, sql, env: whole } as never)
}

test('DIS-R12 SEC-01 the recipe for Clerk lets in who comes from this page, with the organization that is active', async () => {
  const clerk = await load('login/clerk.ts')
  const env = { CLERK_ISSUER: `${origin}/clerk`, APP_ORIGIN: 'https://app.example' }
  const claims = { iss: env.CLERK_ISSUER, sub: 'user_1', azp: env.APP_ORIGIN, o: { id: 'org_1', rol: 'admin' } }
  expect(await enter(clerk, await sign('RS256', claims), env)).toEqual(['user:user_1', 'org:org_1'])
  const elsewhere = await load('login/clerk.ts')
  expect(await enter(elsewhere, await sign('RS256', { ...claims, azp: 'https://other.example' }), env)).toBeNull()
})

test('DIS-R12 SEC-01 the recipe for Supabase takes what its server says of a user, and nobody who is not logged in', async () => {
  const env = { SUPABASE_URL: origin }
  const claims = {
    iss: `${origin}/auth/v1`,
    aud: 'authenticated',
    sub: 'ann',
    app_metadata: { orgs: ['a'] },
    user_metadata: { orgs: ['b'] },
  }
  const supabase = await load('login/supabase.ts')
  expect(await enter(supabase, await sign('ES256', claims), env)).toEqual(['user:ann', 'org:a'])
  const again = await load('login/supabase.ts')
  expect(await enter(again, await sign('ES256', { ...claims, aud: 'anon' }), env)).toBeNull()
})

test('DIS-R12 SEC-01 the recipe for Better Auth reads organizations from tables, and takes no other issuer’s tokens', async () => {
  const betterAuth = await load('login/better-auth.ts')
  const env = { AUTH_URL: origin, AUTH_KEYS: `${origin}/api/auth/jwks` }
  const claims = { iss: origin, aud: origin, sub: 'ann' }
  const token = await sign('EdDSA', claims)
  expect(await enter(betterAuth, token, env, [{ org: 'a' }])).toEqual(['user:ann', 'org:a'])
  expect(await enter(betterAuth, token, { ...env, AUTH_URL: 'https://other.example' })).toBeNull()
  await expect(enter(betterAuth, token, { AUTH_KEYS: env.AUTH_KEYS })).rejects.toMatchObject({ kind: 'misconfigured' })
})

test('DIS-R12 SEC-01 the recipe for a cookie of one’s own makes the tokens that it takes', async () => {
  const cookie = await load('login/cookie.ts')
  const secret = 'a secret of at least thirty-two bytes'
  const server = await load('server/make-token.ts')
  const token = (await server.makeToken?.('ann', ['a'], secret)) ?? ''
  expect(await enter(cookie, token, { JWT_SECRET: secret })).toEqual(['user:ann', 'org:a'])
  expect(await enter(cookie, token, { JWT_SECRET: `${secret}!` })).toBeNull()
})
