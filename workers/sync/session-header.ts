import { z } from 'zod'
import type { Session } from '../contracts.ts'

const sessionSchema = z.object({
  userId: z.string(),
  claims: z.record(z.string(), z.unknown()),
  audiences: z.array(z.string()),
  expiresAtMs: z.number().nullable(),
  syncName: z.string(),
})

/** Prints a session as a header's value: JSON in ASCII. */
export function encodeSession(session: Session): string {
  const escaped = (character: string) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
  return JSON.stringify(session).replace(/[^\x20-\x7e]/g, escaped)
}

/** Reads a session from a header's value; null for anything the Worker did not write. */
export function decodeSession(header: string | null): Session | null {
  if (header === null) return null
  try {
    return sessionSchema.parse(JSON.parse(header))
  } catch {
    return null
  }
}
