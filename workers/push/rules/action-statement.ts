/**
 * Statements that an action may use: those that read and write rows. Any other could leave its role, settings or
 * transaction.
 */
const ALLOWED =
  /^(select|with|values|table|insert|update|delete|merge|call|lock|show|set\s+constraints|create\s+(local\s+)?temp(orary)?)\b/i

/**
 * Tells whether an action may run this one statement, judged by its first words, which alone decide what a statement
 * is.
 */
export const isActionStatement = (text: string): boolean => ALLOWED.test(skipLeading(text))

/** Statements that begin or end a transaction; a savepoint within it does neither. */
const TRANSACTION =
  /^(begin|start\s+transaction|commit|end|abort|prepare\s+transaction|rollback(?!\s+((work|transaction)\s+)?to\b))\b/i

/** Tells whether a statement begins or ends a transaction. */
export const isTransactionStatement = (text: string): boolean => TRANSACTION.test(skipLeading(text))

/** Drops spaces, comments and brackets in front; comments nest. */
function skipLeading(text: string): string {
  let rest = text
  for (;;) {
    const next = rest.replace(/^(\s|\(|--[^\n\r]*)+/, '')
    if (!next.startsWith('/*')) return next
    rest = afterComment(next)
  }
}

function afterComment(text: string): string {
  let depth = 0
  for (const { 0: mark, index } of text.matchAll(/\/\*|\*\//g)) {
    depth += mark === '/*' ? 1 : -1
    if (depth === 0) return text.slice(index + 2)
  }
  return ''
}
