import { type SqlToken, tokenAt } from './split-statements.ts'

/** A statement that gives columns of one table other types. */
export interface RetypeStatement {
  /** The table's name as it stands there. */
  readonly table: string
  readonly columns: readonly {
    /** Without quotes. */
    readonly name: string
    /** The expression after USING; null where there is none. */
    readonly using: string | null
  }[]
}

/** Reads the columns to which an ALTER TABLE gives types; null where a statement is something else, or gives none. */
export function retypeStatement(statement: string): RetypeStatement | null {
  const tokens = tokensOf(statement)
  // With several statements nobody could tell which did what.
  if (tokens === null || tokens.slice(0, -1).some(({ text }) => text === ';')) return null
  const words = new Words(statement, tokens)
  if (!words.take('alter') || !words.take('table')) return null
  if (words.take('if')) words.take('exists')
  words.take('only')
  const table = words.takeName()
  words.take('*')
  if (table === null) return null
  const columns = words.restByCommas().flatMap((action) => retypeAction(new Words(statement, action)) ?? [])
  return columns.length === 0 ? null : { table, columns }
}

function retypeAction(words: Words): RetypeStatement['columns'][number] | null {
  if (!words.take('alter')) return null
  words.take('column')
  const name = words.takeIdentifier()
  if (words.take('set')) words.take('data')
  return name !== null && words.take('type') ? { name, using: words.textAfter('using') } : null
}

function tokensOf(text: string): SqlToken[] | null {
  const tokens: SqlToken[] = []
  for (let at = 0; at < text.length; ) {
    const token = tokenAt(text, at)
    if (token === null) return null
    if (!token.isBlank) tokens.push(token)
    at = token.end
  }
  return tokens
}

const OPENING = new Set(['(', '['])
const CLOSING = new Set([')', ']'])

/** Tokens of a statement, taken from the first on. */
class Words {
  readonly #text: string
  readonly #tokens: readonly SqlToken[]
  #next = 0

  constructor(text: string, tokens: readonly SqlToken[]) {
    this.#text = text
    this.#tokens = tokens.at(-1)?.text === ';' ? tokens.slice(0, -1) : tokens
  }

  take(word: string): boolean {
    if (this.#tokens[this.#next]?.text.toLowerCase() !== word) return false
    this.#next += 1
    return true
  }

  /** Takes one name without quotes, in small letters where it had none. */
  takeIdentifier(): string | null {
    const text = this.#tokens[this.#next]?.text
    if (text === undefined || !/^["\p{L}_]/u.test(text)) return null
    this.#next += 1
    return text.startsWith('"') ? text.slice(1, -1).replaceAll('""', '"') : text.toLowerCase()
  }

  /** Takes a name with its schema, as it stands. */
  takeName(): string | null {
    const first = this.#tokens[this.#next]
    if (first === undefined || this.takeIdentifier() === null) return null
    while (this.take('.')) if (this.takeIdentifier() === null) return null
    return this.#text.slice(first.at, this.#tokens[this.#next - 1]?.end)
  }

  /** Takes what is left, divided at its commas. */
  restByCommas(): SqlToken[][] {
    const parts: SqlToken[][] = [[]]
    for (const { token, depth } of this.#nested()) {
      if (token.text === ',' && depth === 0) parts.push([])
      else parts.at(-1)?.push(token)
    }
    return parts
  }

  /** Answers the text after a word that stands in no brackets; null where there is none. */
  textAfter(word: string): string | null {
    for (const { token, depth } of this.#nested())
      if (depth === 0 && token.text.toLowerCase() === word)
        return this.#text.slice(token.end, this.#tokens.at(-1)?.end).trim()
    return null
  }

  *#nested(): Generator<{ readonly token: SqlToken; readonly depth: number }> {
    let depth = 0
    for (const token of this.#tokens.slice(this.#next)) {
      if (CLOSING.has(token.text)) depth -= 1
      yield { token, depth }
      if (OPENING.has(token.text)) depth += 1
    }
  }
}
