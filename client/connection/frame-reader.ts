import * as z from 'zod/mini'
import {
  type FrameDown,
  frameDownSchema,
  isLsn,
  type MarkedChange,
  markedChangeSchema,
  TidemarkError,
  type WireChange,
  type WireTransaction,
} from '../../protocol/index.ts'

function isRow(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  const row = value as Record<string, unknown>
  for (const name in row) {
    const cell = row[name]
    if (cell !== null && typeof cell !== 'string') return false
  }
  return true
}

const NOTES: ReadonlySet<unknown> = new Set(['m', 'p', 'v'])

/** Accepts what `markedChangeSchema` does, at a tenth of its cost: nearly all that arrives is changes. */
export function isMarkedChange(value: unknown): value is MarkedChange {
  if (isWireChange(value)) return true
  return typeof value === 'object' && value !== null && 'o' in value && NOTES.has(value.o)
    ? markedChangeSchema.safeParse(value).success
    : false
}

export function isWireChange(value: unknown): value is WireChange {
  if (typeof value !== 'object' || value === null) return false
  const { o, t, a, k, d } = value as Record<string, unknown>
  if (typeof t !== 'string') return false
  if (o === 't') return true
  if (typeof a !== 'string') return false
  if (o === 'i') return isRow(d)
  if (o === 'u') return isRow(k) && isRow(d)
  return o === 'd' && isRow(k)
}

function areChanges(value: unknown): value is MarkedChange[] {
  return Array.isArray(value) && value.every(isMarkedChange)
}

function isTransaction(value: unknown): value is WireTransaction {
  if (typeof value !== 'object' || value === null) return false
  const { lsn, xid, at, changes } = value as Record<string, unknown>
  return (
    isLsn(lsn) && typeof xid === 'string' && /^\d{1,20}$/.test(xid) && typeof at === 'string' && areChanges(changes)
  )
}

const headSchema = z.object({ type: z.string() })

function parseFrame(text: string): FrameDown {
  const value: unknown = JSON.parse(text)
  const { type } = headSchema.parse(value)
  if (type === 'batch') {
    const frame = value as { transactions?: unknown }
    const { transactions } = frame
    if (!Array.isArray(transactions) || !transactions.every(isTransaction)) throw new Error('bad transactions')
    return { ...frameDownSchema.parse({ ...frame, transactions: [] }), transactions } as FrameDown
  }
  if (type === 'part') {
    const frame = value as { changes?: unknown }
    const { changes } = frame
    if (!areChanges(changes)) throw new Error('bad changes')
    return { ...frameDownSchema.parse({ ...frame, changes: [] }), changes } as FrameDown
  }
  return frameDownSchema.parse(value)
}

/** Reads one text frame. Throws `corrupt` on anything that is not one; nothing of it is used. */
export function readFrame(text: string): FrameDown {
  try {
    return parseFrame(text)
  } catch (cause) {
    throw new TidemarkError('corrupt', 'A frame from the server is not of the protocol; reconnecting.', { cause })
  }
}
