import { type ColumnDefinition, type Definition, printedSql, quoteIdentifier } from '../../../protocol/index.ts'
import { baseType } from './base-type.ts'

/**
 * Returns SQL that tells whether a column holds the value with the text `text`: it prints alike, so that nobody sees a
 * difference.
 *
 * The type's own equality is used for numeric alone, where 1.0 is 1.00: other types have none, or take for equal what
 * people tell apart (a collation that ignores case, 24 hours and a day). No value that is held makes the SQL fail.
 */
export function holdsSql({ name, type }: ColumnDefinition, text: string, types: Definition['types']): string {
  const held = quoteIdentifier(name)
  const base = baseType(type, types)
  // A value whose text is the same needs no reading, which might fail.
  return `CASE WHEN ${text} IS NULL OR ${held} IS NOT DISTINCT FROM NULL
    THEN ${text} IS NULL AND ${held} IS NOT DISTINCT FROM NULL
    WHEN ${inBytes(printedSql(held, type))} = ${text} THEN true
    ELSE ${sameWhenRead(held, text, type, base)} END`
}

function sameWhenRead(held: string, text: string, type: string, base: string): string {
  const { bare, array } = withoutLength(base)
  if (bare === 'numeric') return `${held}::numeric${array} = ${text}::numeric${array}`
  if (bare === 'json')
    return `tidemark.json_seen(${held}::json${array}) = tidemark.json_seen(${text}::json${array}) COLLATE "C"`
  return `${inBytes(printedSql(held, type))} = ${printedSql(`${text}::${base}`, base)}`
}

/** Compares in bytes, because a printed value has the collation of its column. */
const inBytes = (printed: string) => `(${printed}) COLLATE "C"`

function withoutLength(type: string): { bare: string; array: string } {
  const array = type.endsWith('[]') ? '[]' : ''
  return { bare: type.replace('[]', '').replace(/\([\d, -]+\)/, ''), array }
}
