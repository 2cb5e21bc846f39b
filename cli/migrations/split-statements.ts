/** Comments, quoted texts and names, dollar quotes, words, space, and whatever else stands between statements. */
const TOKEN =
  /--[^\n]*|(\/\*)|[eE]'[^'\\]*(?:(?:\\[\s\S]|'')[^'\\]*)*'|'[^']*(?:''[^']*)*'|"[^"]*(?:""[^"]*)*"|[\p{L}_\u0080-\uffff][\p{L}\p{N}_$\u0080-\uffff]*|\$((?:[\p{L}_][\p{L}\p{N}_]*)?)\$|\s+|[\s\S]/uy

export interface SqlToken {
  readonly text: string
  readonly at: number
  /** The place behind it. */
  readonly end: number
  /** True for space and comments. */
  readonly isBlank: boolean
}

/** Reads the token at a place of a text of SQL; null where it does not end, as an open quote. */
export function tokenAt(text: string, at: number): SqlToken | null {
  TOKEN.lastIndex = at
  const [token = '', comment, tag] = TOKEN.exec(text) ?? []
  const end = comment ? endOfComment(text, at) : tag === undefined ? at + token.length : endOfQuote(text, at, token)
  if (end === null || token === '' || token === "'" || token === '"') return null
  const isBlank = comment !== undefined || token.startsWith('--') || token.trim() === ''
  return { text: tag === undefined && !comment ? token : text.slice(at, end), at, end, isBlank }
}

/**
 * Divides a text of SQL into its statements, without the semicolons, or by another mark that stands in no parentheses; null
 * where that is not certain, as in the body of an SQL function that stands in no quotes.
 */
export function splitStatements(text: string, mark: ';' | ',' = ';'): readonly string[] | null {
  const statements: string[] = []
  let begin = 0
  let isEmpty = true
  const end = (at: number) => {
    if (!isEmpty) statements.push(text.slice(begin, at).trim())
    isEmpty = true
    begin = at + 1
  }
  const tokens = tokensOf(text)
  if (tokens === null) return null
  for (const { text: token, at, depth, isBlank } of tokens) {
    if (token === mark && depth === 0) end(at)
    else if (!isBlank) isEmpty = false
  }
  end(text.length)
  return statements
}

/** Finds the words of a statement that stand in no parentheses, quotes and comments, in small letters; null as above. */
export function wordsOf(text: string): readonly { readonly word: string; readonly at: number }[] | null {
  const tokens = tokensOf(text)?.filter(
    ({ text: token, depth, isBlank }) => depth === 0 && !isBlank && /^\p{L}/u.test(token),
  )
  return tokens?.map(({ text: token, at }) => ({ word: token.toLowerCase(), at })) ?? null
}

interface NestedToken extends SqlToken {
  /** The number of parentheses that it stands in. */
  readonly depth: number
}

/** Null where it is not certain what the text is made of. */
function tokensOf(text: string): readonly NestedToken[] | null {
  const tokens: NestedToken[] = []
  let depth = 0
  for (let at = 0; at < text.length; ) {
    const token = tokenAt(text, at)
    if (token === null || isUncertain(token.text, text.slice(token.end, token.end + 20))) return null
    tokens.push({ ...token, depth })
    if (token.text === '(') depth += 1
    if (token.text === ')') depth -= 1
    at = token.end
  }
  return depth === 0 ? tokens : null
}

/** The body of a function may have semicolons of its own, and quotes may mean something else from there on. */
function isUncertain(word: string, after: string): boolean {
  if (/^standard_conforming_strings$/i.test(word)) return !/^\s*(?:=|to)\s*'?on\b/i.test(after)
  return /^atomic$/i.test(word)
}

/** Comments of this kind nest. */
function endOfComment(text: string, begin: number): number | null {
  const marks = /\/\*|\*\//g
  marks.lastIndex = begin
  let depth = 0
  for (let mark = marks.exec(text); mark; mark = marks.exec(text)) {
    depth += mark[0] === '/*' ? 1 : -1
    if (depth === 0) return marks.lastIndex
  }
  return null
}

function endOfQuote(text: string, begin: number, mark: string): number | null {
  const end = text.indexOf(mark, begin + mark.length)
  return end === -1 ? null : end + mark.length
}
