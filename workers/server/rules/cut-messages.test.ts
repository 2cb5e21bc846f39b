import { expect, test } from 'vitest'
import { parsePgLsn } from '../../../protocol/index.ts'
import type { ConsumedChange } from '../read-changes.ts'
import { cutMessages, QUEUE_LIMITS } from './cut-messages.ts'

const change = (seq: number, length: number): ConsumedChange => ({
  epoch: 'e',
  lsn: parsePgLsn('0/10'),
  seq,
  at: '2026-11-26T09:14:03.120000Z',
  table: 'public.issue',
  operation: 'update',
  key: { id: String(seq) },
  data: { body: 'é'.repeat(length / 2) },
  before: null,
  audience: 'org:a',
  user: null,
  mutation: null,
})

test('CSM-R4 messages and batches hold all changes in order, none beyond what a Queue takes', () => {
  const lengths = [10, 50_000, 60_000, 70_000, 119_000, 200_000, ...Array.from({ length: 20 }, () => 60_000), 10]
  const changes = lengths.map((length, seq) => change(seq, length))
  const batches = cutMessages(changes)
  const bytes = (value: unknown) => new TextEncoder().encode(JSON.stringify(value)).length
  for (const batch of batches) {
    expect(batch.length).toBeLessThanOrEqual(QUEUE_LIMITS.batchMessages)
    expect(batch.reduce((sum, message) => sum + bytes(message), 0)).toBeLessThanOrEqual(QUEUE_LIMITS.batchBytes)
    for (const message of batch) expect(bytes(message)).toBeLessThanOrEqual(QUEUE_LIMITS.messageBytes)
  }
  const sent = batches.flat().flatMap((message) => message.changes)
  expect(sent.map(({ seq }) => seq)).toEqual(changes.map(({ seq }) => seq))
  expect(sent.filter(({ isCut }) => isCut).map(({ seq, data }) => [seq, data])).toEqual([[5, null]])
  const small = cutMessages(
    Array.from({ length: 300 }, (_, seq) => change(seq, 2)),
    { ...QUEUE_LIMITS, messageBytes: 400 },
  )
  expect(Math.max(...small.map((batch) => batch.length))).toBe(QUEUE_LIMITS.batchMessages)
  expect(cutMessages([])).toEqual([])
})
