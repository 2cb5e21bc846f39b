import { SignJWT } from 'jose'

export interface TokenClaims {
  readonly userId: string
  readonly audiences: readonly string[]
  /** The seconds for which the token is valid. Default: a day. */
  readonly lifetimeSeconds?: number
}

/** Signs a token as the app's login would. */
export async function signToken(
  secret: string,
  { userId, audiences, lifetimeSeconds = 86_400 }: TokenClaims,
): Promise<string> {
  const now = Math.floor(Date.now() / 1000)
  return await new SignJWT({ audiences: [...audiences] })
    .setProtectedHeader({ alg: 'HS256' })
    .setSubject(userId)
    .setIssuedAt(now)
    .setExpirationTime(now + lifetimeSeconds)
    .sign(new TextEncoder().encode(secret))
}
