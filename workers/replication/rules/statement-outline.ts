const OUTLINE_CHARS = 160

/**
 * The parts of SQL text that may hold values, each to its end or, where the server cut the text, to the end of that. What can be
 * read in two ways (a comment in a comment, a quote behind a backslash) takes the rest with it.
 */
const COMMENT = /--[^\n]*|\/\*(?:(?!\/\*|\*\/)[\s\S])*(?:\*\/|$)|\/\*[\s\S]*$/
const NAME = /"(?:[^"]|"")*(?:"|$)/
const DOLLAR_STRING = /\$(?<tag>[A-Za-z_]\w*)?\$[\s\S]*?(?:\$\k<tag>\$|$)/
const ESCAPE_STRING = /\b[eE]'(?:[^'\\]|\\[\s\S]|'')*(?:'|$)/
const STRING = /(?:\b[uU]&|\b[bBxXnN])?'(?:(?:[^'\\]|''|\\[^'])*(?:'|$)|[\s\S]*$)/
const NUMBER = /(?<![\w$"])(?:\d[\w.]*|\.\d[\w.]*)/
const PARTS = new RegExp(
  `(?<comment>${COMMENT.source})|(?<name>${NAME.source})|${[DOLLAR_STRING, ESCAPE_STRING, STRING, NUMBER].map(({ source }) => source).join('|')}`,
  'g',
)

/** Returns a statement without any value or comment, on one line and cut, so that it can be shown to operators. */
export function outlineStatement(sql: string): string {
  const outline = sql
    .replaceAll(PARTS, (part, comment, name) => (comment ? ' ' : name ? part : '?'))
    .replaceAll(/[\s\p{Control}]+/gu, ' ')
    .trim()
  return outline.length > OUTLINE_CHARS ? `${outline.slice(0, OUTLINE_CHARS - 1)}…` : outline
}
