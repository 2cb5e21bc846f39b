import { type AudienceRule, LIMITS } from '../../protocol/index.ts'

const FORM = /^(?:all|[a-z][a-z0-9_-]*:[^\0]*)$/su

/** Tells whether a text can name an audience at all: `all`, or `prefix:value` within `LIMITS.audienceNameBytes`. */
export function isAudience(text: string): boolean {
  // A lone surrogate has no UTF-8 form, so no column holds it.
  return FORM.test(text) && text.isWellFormed() && new TextEncoder().encode(text).byteLength <= LIMITS.audienceNameBytes
}

/** The rows of a table that an audience sees: every row, or those with one value in a column. */
export type AudienceMatch =
  | { readonly kind: 'every' }
  | { readonly kind: 'value'; readonly column: string; readonly value: string }

/** Matches an audience against a table's rule; null where the rule can never produce this audience. */
export function matchAudience(rule: AudienceRule, audience: string): AudienceMatch | null {
  if ('constant' in rule) return rule.constant === audience ? { kind: 'every' } : null
  const start = `${rule.prefix}:`
  return audience.startsWith(start) ? { kind: 'value', column: rule.column, value: audience.slice(start.length) } : null
}
