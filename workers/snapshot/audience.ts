import { type AudienceRule, LIMITS } from '../../protocol/index.ts'

const FORM = /^(?:all|[a-z][a-z0-9_-]*:[^\0]*)$/su

/** Whether a text can name an audience at all: `all`, or `prefix:value` within `LIMITS.audienceNameBytes`. */
export function isAudience(text: string): boolean {
  // A lone surrogate has no UTF-8 form, so no column holds it.
  return FORM.test(text) && text.isWellFormed() && new TextEncoder().encode(text).byteLength <= LIMITS.audienceNameBytes
}

/** Which rows of a table an audience sees: every row, those with one value in a column, or none. */
export type AudienceMatch =
  | { readonly kind: 'every' }
  | { readonly kind: 'value'; readonly column: string; readonly value: string }

/** Null where the rule can never produce this audience. */
export function matchAudience(rule: AudienceRule, audience: string): AudienceMatch | null {
  if ('constant' in rule) return rule.constant === audience ? { kind: 'every' } : null
  const start = `${rule.prefix}:`
  return audience.startsWith(start) ? { kind: 'value', column: rule.column, value: audience.slice(start.length) } : null
}
