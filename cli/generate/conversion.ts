/** The effect of a change of a column's type on the values that are there. */
export interface Conversion {
  /** False: a value may be refused, rounded or cut. */
  readonly keepsAll: boolean
  /** True where Postgres converts only when it is told to. */
  readonly explicit: boolean
}

const ORDERS = [
  ['smallint', 'integer', 'bigint', 'numeric'],
  ['real', 'double precision'],
  ['json', 'jsonb'],
]
/** Types between which Postgres converts by itself, refusing or rounding what does not fit. */
const FAMILIES = [
  ['smallint', 'integer', 'bigint', 'numeric', 'real', 'double precision'],
  ['character varying', 'character', 'text'],
  ['date', 'timestamp without time zone', 'timestamp with time zone'],
  ['json', 'jsonb'],
]

/** Judges a change of type by the names that the catalogue gives. */
export function conversionOf(from: string, to: string): Conversion {
  const [old, next] = [parse(from), parse(to)]
  const together = FAMILIES.some((family) => family.includes(old.base) && family.includes(next.base))
  const explicit = old.base !== next.base && !together && next.base !== 'text' && next.base !== 'character varying'
  return { keepsAll: keepsAll(old, next), explicit }
}

interface Type {
  readonly base: string
  /** Length, or precision and scale. */
  readonly size: readonly number[]
}

/** Reads names such as `numeric(10,2)` and `timestamp(3) with time zone`. */
function parse(type: string): Type {
  const size = /\(([\d,]+)\)/.exec(type)?.[1]
  return { base: type.replace(/\([\d,]+\)/, ''), size: size ? size.split(',').map(Number) : [] }
}

function keepsAll(old: Type, next: Type): boolean {
  if (next.base === 'text' || (next.base === 'character varying' && next.size.length === 0))
    return !old.base.startsWith('character') || old.base === 'character varying' || next.base === old.base
  if (old.base === next.base) {
    if (next.size.length === 0) return true
    if (old.size.length === 0) return false
    const [length = 0, scale = 0] = old.size
    const [nextLength = 0, nextScale = 0] = next.size
    return nextScale >= scale && nextLength - nextScale >= length - scale
  }
  return ORDERS.some((order) => {
    const [at, nextAt] = [order.indexOf(old.base), order.indexOf(next.base)]
    return at !== -1 && at < nextAt && next.size.length === 0 && next.base !== 'jsonb'
  })
}
