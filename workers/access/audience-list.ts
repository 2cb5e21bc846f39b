import { isClientAudience, LIMITS, TidemarkError } from '../../protocol/index.ts'

const FORM = /^(?:all|[a-z][a-z0-9_-]*:[^\0]*)$/su

/** Whether a text can name an audience of the app's: `all`, or `prefix:value` within `LIMITS.audienceNameBytes`; `client:` is ours. */
function isAudience(text: unknown): text is string {
  // A lone surrogate has no UTF-8 form, so no column holds it.
  if (typeof text !== 'string' || !FORM.test(text) || !text.isWellFormed() || isClientAudience(text)) return false
  return new TextEncoder().encode(text).byteLength <= LIMITS.audienceNameBytes
}

/**
 * What the app's `audiences` answered, checked, without doubles, in its order.
 *
 * Throws `internal` where it is no such list: the app's mistake, told without its values.
 */
export function checkAudiences(answer: unknown): string[] {
  if (!Array.isArray(answer)) throw new TidemarkError('internal', 'audiences() must return an array of texts.')
  const list = [...new Set(answer as unknown[])]
  if (list.length > LIMITS.audiencesPerSession) {
    throw new TidemarkError('limit-exceeded', `A session has at most ${LIMITS.audiencesPerSession} audiences.`)
  }
  if (!list.every(isAudience)) {
    throw new TidemarkError(
      'internal',
      'audiences() must return `all` or `prefix:value` texts of at most 512 bytes, with another prefix than `client`.',
    )
  }
  return list
}

/** The default placement: the first org, else the first audience, else the user alone. */
export function placeByOrg(session: { readonly userId: string; readonly audiences: readonly string[] }): string {
  const org = session.audiences.find((audience) => audience.startsWith('org:'))
  return org ?? session.audiences[0] ?? `user:${session.userId}`
}

/** Each replica alone; the user's id is part of the name, so that nobody can name another's. */
export function placeByClient(session: { readonly userId: string; readonly client: string | null }): string {
  return session.client === null ? `user:${session.userId}` : `client:${session.userId}/${session.client}`
}
