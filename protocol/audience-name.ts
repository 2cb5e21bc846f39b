import { LIMITS } from './limits.ts'

const FORM = /^(?:all|[a-z][a-z0-9_-]*:[^\0]*)$/su

/** Tells whether a text can name an audience at all: `all`, or `prefix:value` within `LIMITS.audienceNameBytes`. */
export function isAudienceName(text: unknown): text is string {
  // A lone surrogate has no UTF-8 form, so no column holds it.
  if (typeof text !== 'string' || !FORM.test(text) || !text.isWellFormed()) return false
  return new TextEncoder().encode(text).byteLength <= LIMITS.audienceNameBytes
}
