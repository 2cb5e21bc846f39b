const EPOCH_2000_MS = Date.UTC(2000, 0, 1)

/** Makes ISO 8601 with microseconds from `YYYY-MM-DD hh:mm:ss.ffffff+00`, as wal2json prints commit times. */
export function isoOfPostgresText(text: string): string {
  const [seconds = '', fraction = ''] = text.replace(/\+00$/, '').split('.')
  return `${seconds.replace(' ', 'T')}.${fraction.padEnd(6, '0')}Z`
}

/** Makes the same text from the microseconds since 2000 that pgoutput carries. */
export function isoOfMicroseconds(microseconds: bigint): string {
  const milliseconds = EPOCH_2000_MS + Number(microseconds / 1000n)
  const rest = String(microseconds % 1000n).padStart(3, '0')
  return new Date(milliseconds).toISOString().replace('Z', `${rest}Z`)
}
