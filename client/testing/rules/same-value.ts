/**
 * Tells whether two texts of a column's type stand for one value, as far as a test needs it: times, numbers, booleans
 * and JSON however they are written.
 */
export function isSameValue(type: string, a: string | null | undefined, b: string | null | undefined): boolean {
  if (a === b) return true
  if (a == null || b == null) return false
  if (/^timestamp/.test(type)) return timeMs(a) === timeMs(b)
  if (/^(smallint|integer|bigint|numeric|real|double)/.test(type)) return Number(a) === Number(b)
  if (type === 'boolean') return a[0] === b[0]
  if (type === 'jsonb') return JSON.stringify(JSON.parse(a)) === JSON.stringify(JSON.parse(b))
  return type === 'uuid' && a.toLowerCase() === b.toLowerCase()
}

/** Reads a time as Postgres or JavaScript writes it; one without a zone counts as UTC. */
function timeMs(text: string): number {
  const iso = text.replace(' ', 'T').replace(/([+-]\d\d)$/, '$1:00')
  return Date.parse(/(Z|[+-]\d\d:\d\d)$/.test(iso) ? iso : `${iso}Z`)
}
