/** Prefix of the messages that `tidemark.annotate` leaves in the log. */
export const ANNOTATION_PREFIX = 'tidemark.annotate'

/** The longest annotation of one transaction, in characters: each of its rows carries it. */
const MOST_CHARS = 64 * 1024
const MOST_DEPTH = 100

/**
 * Reads the annotation in a transactional message, JSON text of an object; null for any other message.
 *
 * Anyone may write messages. One that the database could not store as jsonb would stop capture for good: it is none.
 */
export function readAnnotation(prefix: string, content: string): string | null {
  if (prefix !== ANNOTATION_PREFIX || content.length > MOST_CHARS) return null
  try {
    const value: unknown = JSON.parse(content)
    return typeof value === 'object' && value !== null && !Array.isArray(value) && isStorable(value, 0) ? content : null
  } catch {
    return null
  }
}

function isStorable(value: unknown, depth: number): boolean {
  if (typeof value === 'string') return value.isWellFormed() && !value.includes('\0')
  // A number that is not finite here may be beyond what numeric holds.
  if (typeof value === 'number') return Number.isFinite(value)
  if (typeof value !== 'object' || value === null) return true
  if (depth >= MOST_DEPTH) return false
  return Object.entries(value).every(([name, entry]) => isStorable(name, depth) && isStorable(entry, depth + 1))
}

/**
 * Joins two annotations, or keeps the earlier alone where both are too long; of a name in both the later value holds,
 * as jsonb reads it.
 *
 * They are joined as text, so that no number is rounded.
 */
export function joinAnnotations(earlier: string | null, later: string): string {
  if (earlier === null) return later
  const [first = '', second = ''] = [earlier, later].map((text) => text.trim().slice(1, -1).trim())
  if (first === '' || second === '') return first === '' ? later : earlier
  const both = `{${first},${second}}`
  return both.length > MOST_CHARS ? earlier : both
}
