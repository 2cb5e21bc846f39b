/** What of SQL an action may use: what reads and writes rows. Everything else could leave its role, settings or transaction. */
const ALLOWED =
  /^(select|with|values|table|insert|update|delete|merge|call|lock|show|set\s+constraints|create\s+(local\s+)?temp(orary)?)\b/i

/** Whether an action may run this one statement, judged by the words it begins with: they alone say what a statement is. */
export const isActionStatement = (text: string): boolean => ALLOWED.test(skipLeading(text))

/** Without spaces, comments and brackets in front; comments nest. */
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
