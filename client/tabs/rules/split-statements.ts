/** A place where a statement holds text that is not SQL of its own: literals, quoted names, the begin of a comment. */
const QUOTED =
  /\b[Ee]'(?:[^'\\]|''|\\[\s\S])*'|'(?:[^']|'')*'|"(?:[^"]|"")*"|--[^\n\r]*|\/\*|(?<![\w$\u0080-\uffff])\$([A-Za-z_\u0080-\uffff][\w\u0080-\uffff]*)?\$[\s\S]*?\$\1\$/g
const COMMENT_EDGE = /\/\*|\*\//g
const ATOMIC_BODY = /\bbegin\s+atomic\b(?:[\s\S]*?;)??\s*end\b/gi

/** Answers a text with each literal and name in quotes as `''` or `""`, and without its comments. */
export function withoutQuoted(text: string): string {
  const parts: string[] = []
  let at = 0
  for (;;) {
    QUOTED.lastIndex = at
    const found = QUOTED.exec(text)
    if (!found) return parts.join('') + text.slice(at)
    const [quoted] = found
    parts.push(text.slice(at, found.index), blankOf(quoted))
    at = quoted === '/*' ? endOfComment(text, found.index) : QUOTED.lastIndex
  }
}

const blankOf = (quoted: string) =>
  quoted.startsWith('--') || quoted === '/*' ? ' ' : quoted.startsWith('"') ? '""' : `''`

/** Comments hold comments. */
function endOfComment(text: string, start: number): number {
  let depth = 0
  COMMENT_EDGE.lastIndex = start
  for (let edge = COMMENT_EDGE.exec(text); edge; edge = COMMENT_EDGE.exec(text)) {
    depth += edge[0] === '/*' ? 1 : -1
    if (depth === 0) return COMMENT_EDGE.lastIndex
  }
  return text.length
}

/** Splits a text into its statements, as far as it takes to judge them; bodies between `BEGIN ATOMIC` and `END` are left out. */
export function splitStatements(text: string): readonly string[] {
  return withoutQuoted(text)
    .replace(ATOMIC_BODY, `''`)
    .split(';')
    .map((statement) => statement.trim())
    .filter((statement) => statement !== '')
}
