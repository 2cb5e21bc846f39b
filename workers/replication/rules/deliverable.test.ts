import { describe, expect, test } from 'vitest'
import { asLsn, type Change, type Transaction } from '../../../protocol/index.ts'
import { selectFor, toChange, toMutation } from './deliverable.ts'
import type { HistoryRow } from './to-changes.ts'

const row = (operation: HistoryRow['operation'], more: Partial<HistoryRow> = {}): HistoryRow => ({
  table: 'public.note',
  operation,
  key: '{"id":"1"}',
  data: '{"id":"1","title":null}',
  oldData: '{"id":"1","title":"before"}',
  audience: 'org:a',
  ...more,
})

describe('a stored row as it travels', () => {
  const told = { table: 'public.note', audience: 'org:a' }
  const data = { id: '1', title: null }

  test.each<[HistoryRow['operation'], Change]>([
    ['insert', { ...told, op: 'insert', data }],
    ['update', { ...told, op: 'update', key: { id: '1' }, data }],
    ['delete', { ...told, op: 'delete', key: { id: '1' } }],
  ])('an %s says what a replica needs, and nothing of the row before', (operation, change) => {
    expect(toChange(row(operation))).toEqual(change)
    expect(JSON.stringify(toChange(row(operation)))).not.toContain('before')
  })

  test('CAP-R6 a TRUNCATE is told to everyone', () => {
    const change = { op: 'truncate', table: 'public.note', audience: null }
    expect(toChange(row('truncate', { audience: null }))).toEqual(change)
    expect(toChange(row('truncate'))).toEqual(change)
  })

  test.each(['insert', 'update', 'delete'] as const)('CAP-R5 an %s of no audience is told to nobody', (operation) => {
    expect(toChange(row(operation, { audience: null }))).toBeNull()
  })

  test.each(['definition', 'rights', 'mutation'] as const)(
    'RGT-R5 a row of history about %s is no change',
    (operation) => {
      expect(toChange(row(operation))).toBeNull()
    },
  )
})

describe('the mutation at the head of a transaction', () => {
  const data = '{"counter":7,"rejection":null,"predicted":[]}'

  test('CAP-R31 has client, counter, rejection and prediction', () => {
    const stored = row('mutation', { key: '{"client_id":"c","counter":"7"}', data, audience: 'client:c' })
    expect(toMutation(stored)).toEqual({ client: 'c', counter: 7, rejection: null, predicted: [] })
  })

  test('CAP-R31 is in no other row, and of nobody without its client', () => {
    expect(toMutation(row('insert', { key: '{"client_id":"c"}', data }))).toBeNull()
    expect(toMutation(row('mutation', { key: null, data }))).toBeNull()
  })
})

describe('what one subscriber is told', () => {
  const lsn = asLsn('0000000000000001')
  const change = (audience: string): Change => ({ op: 'delete', table: 'public.note', audience, key: { id: audience } })
  const transaction = (changes: Change[], more: Partial<Transaction> = {}): Transaction => ({
    lsn,
    xid: '1',
    committedAt: '2026-01-01T00:00:00.000000Z',
    changes,
    ...more,
  })
  const truncate: Change = { op: 'truncate', table: 'public.note', audience: null }

  test('DIS-01 DIS-04 DIS-R1 of each transaction its own changes, in their order', () => {
    const whole = transaction([change('org:a'), change('org:b'), truncate, change('org:a')])
    expect(selectFor(new Set(['org:a']), [whole])).toEqual([transaction([change('org:a'), truncate, change('org:a')])])
  })

  test('DIS-R1 nothing of a transaction in which there is nothing for it', () => {
    expect(selectFor(new Set(['org:c']), [transaction([change('org:a')]), transaction([])])).toEqual([])
    expect(selectFor(new Set(), [transaction([change('org:a')])])).toEqual([])
  })

  test('DIS-R17 an audience that begins alike is another', () => {
    expect(selectFor(new Set(['org:1', 'client:x']), [transaction([change('org:11')])])).toEqual([])
    const mutation = { client: 'xy', counter: 1, rejection: null, predicted: null }
    expect(selectFor(new Set(['client:x']), [transaction([], { mutation })])).toEqual([])
  })

  test('MRK-R2 what was predicted is told to its author alone', () => {
    const mutation = {
      client: 'x',
      counter: 1,
      rejection: null,
      predicted: [{ o: 'd' as const, t: 'public.note', a: 'org:a', k: { id: 'secret' } }],
    }
    const own = transaction([change('org:a')], { mutation })
    expect(selectFor(new Set(['org:a', 'client:x']), [own])).toEqual([own])
    expect(JSON.stringify(selectFor(new Set(['org:a']), [own]))).not.toContain('secret')
  })
})
