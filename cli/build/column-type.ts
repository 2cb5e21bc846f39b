/** Types whose drizzle function is called by their own name, without settings. */
const PLAIN: Readonly<Record<string, string>> = {
  integer: 'integer',
  smallint: 'smallint',
  real: 'real',
  'double precision': 'doublePrecision',
  text: 'text',
  boolean: 'boolean',
  uuid: 'uuid',
  date: 'date',
  interval: 'interval',
  json: 'json',
  jsonb: 'jsonb',
  inet: 'inet',
  cidr: 'cidr',
  macaddr: 'macaddr',
  macaddr8: 'macaddr8',
}
const TIMES: Readonly<Record<string, { name: string; zone: boolean }>> = {
  'timestamp with time zone': { name: 'timestamp', zone: true },
  'timestamp without time zone': { name: 'timestamp', zone: false },
  'time with time zone': { name: 'time', zone: true },
  'time without time zone': { name: 'time', zone: false },
}
/** Types that a replica holds and drizzle has no function for: their values are text, those of bytea bytes. */
// biome-ignore format: one list
const BY_NAME = new Set([
  'bytea', 'money', 'bit', 'bit varying', 'tsvector', 'tsquery', 'jsonpath', 'point', 'line', 'lseg', 'box', 'path', 'polygon', 'circle',
  'int4range', 'int8range', 'numrange', 'tsrange', 'tstzrange', 'daterange',
  'int4multirange', 'int8multirange', 'nummultirange', 'tsmultirange', 'tstzmultirange', 'datemultirange',
])

/** A column's type in a generated module. */
export interface DrizzleType {
  /** The function to call. */
  readonly call: string
  /** Its second argument; empty for none. */
  readonly settings: string
  /** The type's name where the module itself has to make the function; null where drizzle has it. */
  readonly custom: string | null
}

/** What a type is told besides its name. */
export interface TypeSettings {
  readonly precision?: number | null | undefined
  readonly scale?: number | undefined
  readonly length?: number | string
}

/**
 * Returns the drizzle type for a normalised Postgres type other than an enum; null for one that replicas cannot hold.
 */
export function drizzleType(type: string, column: TypeSettings): DrizzleType | null {
  const plain = PLAIN[type]
  if (plain !== undefined) return of(plain)
  const time = TIMES[type]
  if (time) return of(time.name, { withTimezone: time.zone || null, precision: column.precision })
  switch (type) {
    case 'bigint':
      return of('bigint', { mode: "'bigint'" })
    case 'numeric':
      return of('numeric', { precision: column.precision, scale: column.precision === undefined ? null : column.scale })
    case 'character varying':
      return of('varchar', { length: column.length })
    case 'character':
      return of('char', { length: column.length })
  }
  return BY_NAME.has(type) ? { call: customName(type), settings: '', custom: type } : null
}

function of(name: string, options: Readonly<Record<string, unknown>> = {}): DrizzleType {
  const given = Object.entries(options).filter(([, value]) => value !== undefined && value !== null && value !== '')
  const settings = given.map(([option, value]) => `${option}: ${value}`).join(', ')
  return { call: `pg.${name}`, settings: settings === '' ? '' : `{ ${settings} }`, custom: null }
}

const customName = (type: string) => `${type.replaceAll(/ (\w)/g, (_, letter: string) => letter.toUpperCase())}Column`
