import type { Database } from './database.ts'

type TextParsers = Record<number, (text: string) => string>

const made = new WeakMap<object, TextParsers>()

/**
 * Answers parsers that leave every value as Postgres' text, for `db.query(text, params, { parsers })`: so values cross
 * between threads and tabs, and are parsed where the query was asked.
 */
export function textParsers({ parsers }: Pick<Database, 'parsers'>): TextParsers {
  const known = made.get(parsers)
  const oids = Object.keys(parsers)
  // A type that is made later adds a parser of its own.
  if (known && Object.keys(known).length === oids.length) return known
  const fresh = Object.fromEntries(oids.map((oid) => [oid, (text: string) => text]))
  made.set(parsers, fresh)
  return fresh
}
