import type { Random } from './random.ts'

/** Texts that have broken codecs: escapes, separators, quotes, look-alikes of NULL, characters beyond the first plane. */
const HARD_TEXTS = [
  '',
  ' ',
  'NULL',
  'null',
  '\\N',
  '\\.',
  '\\',
  '\\\\x',
  'tab\tline\nreturn\rend',
  '\u0001\b\f\v\u007f',
  `it's "quoted" \\'and\\" escaped`,
  '{}',
  '{"a": [1, null]}',
  '$1 $$ :x ?',
  'Größe, naïve, Ω≈ç√',
  '日本語 עברית',
  '𝔘𝔫𝔦 👩‍👩‍👧 \u{10ffff}',
  '\u2028\u2029\ufeff',
  'a,b;c|d',
  '__proto__',
] as const

const WORDS = ['amber', 'basalt', 'cedar', 'delta', 'ember', 'fjord', 'grove', 'harbor', 'inlet', 'juniper'] as const

function words(random: Random, most: number): string {
  return Array.from({ length: 1 + random.below(most) }, () => random.pick(WORDS)).join(' ')
}

/** Random hex does not compress, so a long one is stored out of line. */
function incompressible(random: Random, length: number): string {
  let text = ''
  while (text.length < length) text += random.below(0x100000000).toString(16).padStart(8, '0')
  return text.slice(0, length)
}

export function uuidOf(kind: number, number: number): string {
  return `${kind.toString(16).padStart(8, '0')}-0000-4000-8000-${number.toString(16).padStart(12, '0')}`
}

type Generator = (random: Random) => string

const oneOf =
  (...values: string[]): Generator =>
  (random) =>
    random.pick(values)

const text: Generator = (random) => (random.chance(0.4) ? random.pick(HARD_TEXTS) : words(random, 6))
const integer =
  (limit: number): Generator =>
  (random) =>
    random.chance(0.2) ? String(random.pick([0, -1, limit, -limit - 1])) : String(random.below(2 * limit) - limit)

/** Values by column of `item`, each as text that Postgres reads. */
export const ITEM_VALUES: Readonly<Record<string, Generator>> = {
  title: text,
  secret: (random) => `secret ${incompressible(random, 20)}`,
  body: (random) => (random.chance(0.3) ? incompressible(random, 3000 + random.below(9000)) : text(random)),
  tiny: integer(32767),
  small: integer(2147483647),
  big: oneOf('0', '9007199254740993', '-9007199254740993', '9223372036854775807', '-9223372036854775808', '42'),
  code: (random) => words(random, 1),
  fixed: oneOf('', 'a', 'ab  ', 'abcde'),
  label: (random) => words(random, 2),
  flag: oneOf('true', 'false'),
  day: oneOf('2026-11-20', '0044-03-15 BC', 'infinity', '-infinity', '9999-12-31'),
  clock: oneOf('00:00', '23:59:59.999999', '24:00:00', '12:34:56.7'),
  zoned_clock: oneOf('12:00+05:45', '00:00:00.1-08', '23:59:59+00'),
  moment: oneOf('2026-11-20 01:02:03.4', '0001-01-01 00:00:00 BC', 'infinity', '1999-12-31 23:59:59.999999'),
  instant: oneOf('2026-11-20 01:02:03.456789+05:45', '0044-03-15 12:00:00 BC', '-infinity', '2038-01-19 03:14:08Z'),
  span: oneOf('1 year 2 mons -3 days 04:05:06.789', '-00:00:01', '0', '999 years', '1 day -1 hour'),
  doc: oneOf(
    'null',
    '"a string"',
    '"null"',
    '0',
    '1.50',
    '12345678901234567890.123456789',
    'true',
    '[]',
    '{}',
    '{"b": 1, "a": {"deep": [null, "x\\n\\u00e9", {"z": -0.0}]}}',
    '{"__proto__": 1, "": 2}',
    '"\\\\N \\" \\t"',
  ),
  raw_doc: oneOf('null', '"s"', '{ "b" : 1,\n "a" : 2, "a":3 }', '[1.0, 1e400]', '"\\ud83d\\ude00"'),
  bytes: (random) => (random.chance(0.3) ? '\\x' : `\\x${incompressible(random, 2 * random.below(40))}`),
  numbers: oneOf('{}', '{1,NULL,-3}', '{{1,2},{3,4}}', '[0:1]={7,8}'),
  words: oneOf('{}', '{NULL,"NULL",""}', '{"a,b","q\\"uo","back\\\\slash","{}"}', '{{"x y",z},{"t\tab",NULL}}'),
  state: oneOf('calm', 'busy', 'it\'s "odd", really'),
  states: oneOf('{}', '{calm,NULL}', '{"it\'s \\"odd\\", really",busy}'),
  bounds: oneOf('empty', '[1,5)', '(,3]', '[7,)', '(,)'),
  period: oneOf('empty', '["2026-01-01 00:00+02","2026-02-01 00:00+02")', '(,"0044-03-15 BC")', '[,infinity]'),
  address: oneOf('10.0.0.1', '10.0.0.1/24', '::1', '2001:db8::/32'),
  network: oneOf('10.1.0.0/16', '::/0', '192.168.1.1/32'),
  bits: oneOf('', '1', '101010101010101010101'),
  place: oneOf('(0,0)', '(1.5,-2.25)', '(1e+300,-1e-300)', '(0.1,0.30000000000000004)'),
  search: oneOf("'a':1A 'b':2,3", '', "'it''s' 'x\\\\y':7"),
}

export const MEASURE_VALUES: Readonly<Record<string, Generator>> = {
  plain: oneOf(
    '0',
    '1.00',
    '1.000',
    '-0.0000001',
    '123456789012345678901234567890.123456789',
    'NaN',
    'Infinity',
    '-Infinity',
  ),
  money_like: oneOf('0', '9999999999.99', '-0.01', 'NaN'),
  narrow: oneOf('0', '-0', '0.1', '3.4028235e38', '1e-45', 'NaN', 'Infinity'),
  wide: oneOf('0', '-0', '0.1', '0.30000000000000004', '1.7976931348623157e308', '5e-324', 'NaN', '-Infinity'),
  series: oneOf('{}', '{NaN,Infinity,-0,0.1,NULL}', '{{1,2},{3,4.5}}'),
}

export const anyText = text
export const anyWords = words
export const anyJson: Generator = (random) => (ITEM_VALUES.doc ?? text)(random)
