/** Oids of Postgres' types that come as dates: date, timestamp, timestamptz. */
const INSTANTS = [1082, 1114, 1184] as const

const PARTS =
  /^(\d+)-(\d\d)-(\d\d)(?: (\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))?)?(?:([+-])(\d\d)(?::(\d\d))?(?::(\d\d))?)?( BC)?$/

/**
 * Parses Postgres' ISO text of a date or a time; without a zone it is meant in UTC, as a `Date` is written. Infinities are
 * numbers, as PGlite has them; what is beyond a `Date` (271821 BC to 275760) is an invalid one.
 */
export function parseInstant(text: string): Date | number {
  if (text === 'infinity') return Number.POSITIVE_INFINITY
  if (text === '-infinity') return Number.NEGATIVE_INFINITY
  const parts = PARTS.exec(text)
  if (!parts) return new Date(Number.NaN)
  const numbered = (index: number) => Number(parts[index] ?? 0)
  const year = parts[12] === undefined ? numbered(1) : 1 - numbered(1)
  const instant = new Date(0)
  instant.setUTCFullYear(year, numbered(2) - 1, numbered(3))
  instant.setUTCHours(numbered(4), numbered(5), numbered(6), Math.trunc(Number(`0.${parts[7] ?? 0}`) * 1000))
  const offsetSeconds = numbered(9) * 3600 + numbered(10) * 60 + numbered(11)
  return new Date(instant.getTime() - (parts[8] === '-' ? -1 : 1) * offsetSeconds * 1000)
}

/**
 * Parsers that a replica's database has in place of PGlite's own, by oid: those of 0.5.16 read a `timestamp` in the zone of
 * the page, though a `Date` is written to it in UTC, and know no year before Christ.
 */
export const INSTANT_PARSERS: Record<number, (text: string) => Date | number> = Object.fromEntries(
  INSTANTS.map((oid) => [oid, parseInstant]),
)
