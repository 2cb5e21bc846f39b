import { isAudienceName, isClientAudience, LIMITS, TidemarkError } from '../../protocol/index.ts'

/** Tells whether an app may answer this audience: the prefix `client:` is Tidemark's own. */
const isOfApp = (name: unknown): name is string => isAudienceName(name) && !isClientAudience(name)

/**
 * Checks what the app's `audiences` answered and returns it without doubles, in the app's order.
 *
 * Throws `internal` where it is no such list, which is the app's mistake; the message holds none of its values.
 * Throws `limit-exceeded` above `LIMITS.audiencesPerSession`.
 */
export function checkAudiences(answer: unknown): string[] {
  if (!Array.isArray(answer)) throw new TidemarkError('internal', 'audiences() must return an array of texts.')
  const list = [...new Set(answer as unknown[])]
  if (list.length > LIMITS.audiencesPerSession) {
    throw new TidemarkError('limit-exceeded', `A session has at most ${LIMITS.audiencesPerSession} audiences.`)
  }
  if (!list.every(isOfApp)) {
    throw new TidemarkError(
      'internal',
      'audiences() must return `all` or `prefix:value` texts of at most 512 bytes, with another prefix than `client`.',
    )
  }
  return list
}

/** Places a session by default: with its first org, else with its first audience, else with the user alone. */
export function placeByOrg(session: { readonly userId: string; readonly audiences: readonly string[] }): string {
  const org = session.audiences.find((audience) => audience.startsWith('org:'))
  return org ?? session.audiences[0] ?? `user:${session.userId}`
}

/** Places each replica alone; the user's id is part of the name, so that nobody can name another user's place. */
export function placeByClient(session: { readonly userId: string; readonly client: string | null }): string {
  return session.client === null ? `user:${session.userId}` : `client:${session.userId}/${session.client}`
}
