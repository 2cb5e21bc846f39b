/**
 * The ways to give a column a value that no other row has: NULL, one that looks like the held one, one far from all
 * others.
 */
export type Way = 'null' | 'alike' | 'far'

const TEXTS = new Set(['text', 'character varying', 'character', 'bpchar'])
const NUMBERS = new Set(['smallint', 'integer', 'bigint', 'numeric'])

/** Returns the ways there are for a type besides NULL, best first. */
export function waysOf(type: string): Way[] {
  const { base } = parse(type)
  if (TEXTS.has(base)) return ['alike', 'far']
  if (NUMBERS.has(base)) return ['far', 'alike']
  return far(base, null, 0, 0) === undefined ? [] : ['far']
}

/**
 * Makes a temporary value, never the one that is held. The values of several rows differ by `nth`; they share `start`,
 * from 0 to 1.
 */
export function temporaryValue(type: string, held: string, way: Way, start: number, nth: number): string | null {
  if (way === 'null') return null
  const { base, length } = parse(type)
  return way === 'alike' ? alike(held) : (far(base, length, start, nth) ?? null)
}

function parse(type: string): { base: string; length: number | null } {
  const [, base = '', length] = /^([^(]*)(?:\((\d+)\))?/.exec(type) ?? []
  return { base, length: length === undefined ? null : Number(length) }
}

/** Keeps digits, letters and length in place, so that checks on these hold for the new value as well. */
const alike = (held: string): string =>
  held
    .replace(/\d/g, (digit, place: number) => (place === 0 ? other(digit, '123456789') : other(digit, '0123456789')))
    .replace(/[a-z]/g, (letter) => other(letter, 'abcdefghijklmnopqrstuvwxyz'))
    .replace(/[A-Z]/g, (letter) => other(letter, 'ABCDEFGHIJKLMNOPQRSTUVWXYZ'))

function other(one: string, among: string): string {
  const rest = among.replace(one, '')
  return rest[Math.floor(Math.random() * rest.length)] ?? one
}

function far(base: string, length: number | null, start: number, nth: number): string | undefined {
  const between = (low: number, high: number) => low + ((Math.floor(start * (high - low)) + nth) % (high - low))
  if (TEXTS.has(base))
    return crypto
      .randomUUID()
      .replaceAll('-', '')
      .slice(0, length ?? 32)
  if (base === 'uuid') return crypto.randomUUID()
  if (base === 'smallint') return String(between(20_000, 32_767))
  if (base === 'integer') return String(between(1_000_000_000, 2_147_483_647))
  if (base === 'bigint' || base === 'numeric') return String(between(1e15, Number.MAX_SAFE_INTEGER))
  if (base === 'real' || base === 'double precision') return String(between(1_000_000, 9_000_000))
  if (base === 'date' || base.startsWith('timestamp'))
    return new Date(between(800_000, 2_000_000) * 86_400_000).toISOString()
  return base.endsWith('range') ? 'empty' : undefined
}
