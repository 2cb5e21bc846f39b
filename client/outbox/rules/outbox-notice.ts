/** Where the outbox tells that something in it has changed. */
export const OUTBOX_CHANNEL = 'tidemark_outbox'

const CONFIRMED = 'confirmed '
/** Postgres takes notices of less than 8,000 bytes. */
const MOST_CHARS = 7_000

/** Names what was just confirmed, so that nobody has to ask; says nothing of too many. */
export function confirmedNotice(counters: readonly number[]): string {
  const notice = `${CONFIRMED}${counters.join()}`
  return notice.length > MOST_CHARS ? '' : notice
}

export function confirmedIn(notice: string): number[] {
  return notice.startsWith(CONFIRMED) ? notice.slice(CONFIRMED.length).split(',').map(Number) : []
}
