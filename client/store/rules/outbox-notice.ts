/** The channel on which the outbox announces that something in it has changed. */
export const OUTBOX_CHANNEL = 'tidemark_outbox'

/** Announces that mutations changed, and not which. */
export const NOTIFY_OUTBOX = `SELECT pg_notify('${OUTBOX_CHANNEL}', '')`

const CONFIRMED = 'confirmed '
/** Postgres takes notices of less than 8,000 bytes. */
const MOST_CHARS = 7_000

/** Names the mutations just confirmed, so that nobody has to ask; names none where they are too many. */
export function confirmedNotice(counters: readonly number[]): string {
  const notice = `${CONFIRMED}${counters.join()}`
  return notice.length > MOST_CHARS ? '' : notice
}

/** Reads a notice: which mutations were confirmed, and whether others may have ended that were squashed into none of those. */
export function readNotice(notice: string): { readonly confirmed: readonly number[]; readonly mayHaveEnded: boolean } {
  if (notice.startsWith(CONFIRMED))
    return { confirmed: notice.slice(CONFIRMED.length).split(',').map(Number), mayHaveEnded: false }
  // A notice of a new mutation is its counter.
  return { confirmed: [], mayHaveEnded: notice === '' }
}
