import { customType } from 'drizzle-orm/pg-core'

const any = (name: string) => customType<{ data: string }>({ dataType: () => 'text' })(name)
/** Columns of every kind of type that travels: name and type. */
export const EXACT = [
  'big int8',
  'bytes bytea',
  'stamp timestamptz',
  'day date',
  'span interval',
  'mood public.mood',
  'range int4range',
  'nested text[]',
  'doc jsonb',
  'raw json',
  'flag bool',
  'word text',
  'code char(6)',
  'bits bit varying(9)',
  'id8 uuid',
  'net inet',
  'clock time',
]
/** The types that hold NaN and infinities. */
export const NUMBERS = ['long numeric', 'scaled numeric(30,10)', 'double float8', 'single float4']
export const namesOf = (columns: readonly string[]) => columns.map((column) => column.split(' ')[0] ?? '')
/** Drizzle's columns for them. */
export const columnsOf = (columns: readonly string[]) =>
  Object.fromEntries(namesOf(columns).map((name) => [name, any(name)]))

export const MOOD = `CREATE TYPE public.mood AS ENUM ('ok', 'so so')`

/** Rows of their values, as texts in the order of the columns. */
export const rowsOf = (columns: readonly string[]): (string | null)[][] =>
  ROWS.map((row) => namesOf(columns).map((name) => (row as Record<string, string | null>)[name] ?? null))

const ROWS = [
  {
    big: '9223372036854775807',
    bytes: '\\xdeadbeef00',
    stamp: '0044-03-15 10:00:00.123456+00 BC',
    day: 'infinity',
    span: '1 year 2 mons -3 days 04:05:06.789',
    mood: 'so so',
    range: '[1,10)',
    nested: '{{a,"b \\"c\\""},{NULL,"NULL"}}',
    doc: '{"a": [1, null, "\\u00e9"]}',
    raw: '{ "b" :1 }',
    flag: 't',
    word: '',
    code: 'ab',
    bits: '10101',
    id8: '00000000-0000-4000-8000-000000000001',
    net: '10.0.0.1/8',
    clock: '23:59:59.999',
    longs: '{123456789012345678901234567890.12345678901234567890,NULL,1.50}',
    doubles: '{0.1,1e-300}',
    long: '123456789012345678901234567890.12345678901234567890',
    scaled: '1.5',
    double: '0.1',
    single: '0.1',
  },
  {
    big: '-9223372036854775808',
    bytes: '\\x',
    stamp: '-infinity',
    day: '4713-01-01 BC',
    span: '-1 mons',
    mood: 'ok',
    range: 'empty',
    nested: '{}',
    doc: 'null',
    raw: 'null',
    flag: 'f',
    word: 'null',
    code: '',
    bits: '',
    id8: 'ffffffff-ffff-4fff-8fff-ffffffffffff',
    net: '::1',
    clock: '00:00:00',
    longs: '{NaN,-Infinity}',
    doubles: '{NaN,Infinity,-0}',
    long: 'NaN',
    scaled: '-0.0000000001',
    double: 'NaN',
    single: 'Infinity',
  },
  {
    big: null,
    bytes: null,
    stamp: null,
    day: null,
    span: null,
    mood: null,
    range: null,
    nested: null,
    doc: null,
    raw: null,
    flag: null,
    word: null,
    code: null,
    bits: null,
    id8: null,
    net: null,
    clock: null,
    longs: null,
    doubles: null,
    long: 'Infinity',
    scaled: null,
    double: '-Infinity',
    single: '1e-40',
  },
]
