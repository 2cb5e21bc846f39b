/** What a server makes anew for each row. */
export interface MadeValues {
  /** The time, as Postgres reads it. */
  readonly now: () => string
  readonly uuid: () => string
}

const LITERAL = /^\s*E?'((?:[^']|'')*)'(?:::[\w" .,()[\]]+)?\s*$/
const NUMBER = /^\s*\(?(-?[0-9.]+)\)?(?:::[\w" .,()[\]]+)?\s*$/
const NOW = /^\s*(now\(\)|current_timestamp|clock_timestamp\(\)|statement_timestamp\(\)|transaction_timestamp\(\))\s*$/i
const UUID = /^\s*(gen_random_uuid|uuidv4|uuidv7)\(\)\s*$/i

/** Computes a column's default, as far as this knows its expression; undefined where it does not. */
export function defaultValue(expression: string, made: MadeValues): string | null | undefined {
  const literal = LITERAL.exec(expression)
  if (literal) return literal[1]?.replaceAll("''", "'")
  const number = NUMBER.exec(expression)
  if (number) return number[1]
  if (/^\s*(true|false)\s*$/i.test(expression)) return expression.trim().startsWith('t') ? 't' : 'f'
  if (/^\s*null\s*$/i.test(expression)) return null
  if (NOW.test(expression)) return made.now()
  if (UUID.test(expression)) return made.uuid()
  return undefined
}
