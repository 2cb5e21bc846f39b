import type { AudienceRule } from '../../protocol/index.ts'

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
