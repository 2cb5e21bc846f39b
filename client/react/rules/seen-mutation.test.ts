import { expect, it } from 'vitest'
import { asLsn } from '../../../protocol/index.ts'
import type { MutationRecord } from '../../mutations/mutation.ts'
import { mayChangeMutations, seenRecord } from './seen-mutation.ts'

const record: MutationRecord = {
  id: 'client:1' as MutationRecord['id'],
  kind: 'patch',
  action: null,
  status: 'pending',
  effective: true,
  at: '2026-11-30T18:00:00Z',
  rejection: null,
  lsn: null,
  writes: [{ table: 'public.item', op: 'update', before: { title: 'a' }, after: { title: 'b' } }],
}

it('keeps when each state was first seen, and the writes that the replica forgets', () => {
  const first = seenRecord(null, record, 10)
  expect(first.seenAt).toEqual({ pending: 10 })
  expect(seenRecord(first, { ...record }, 20)).toBe(first)
  const lsn = asLsn('0000000000000110')
  const confirmed = seenRecord(first, { ...record, status: 'confirmed', lsn, writes: [] }, 30)
  expect(confirmed).toMatchObject({
    status: 'confirmed',
    seenAt: { pending: 10, confirmed: 30 },
    writes: record.writes,
  })
})

it('looks again only where a mutation waits, or has just ended', () => {
  expect(mayChangeMutations({ pending: 0, failed: 1 }, { pending: 0, failed: 1 })).toBe(false)
  expect(mayChangeMutations({ pending: 1, failed: 0 }, { pending: 0, failed: 0 })).toBe(true)
  expect(mayChangeMutations({ pending: 1, failed: 0 }, { pending: 1, failed: 0 })).toBe(true)
  expect(mayChangeMutations({ pending: 0, failed: 1 }, { pending: 0, failed: 0 })).toBe(true)
})
