import { describe, expect, test } from 'vitest'
import { asLsn, LIMITS } from '../../../protocol/index.ts'
import { BatchTally } from './batch-tally.ts'
import { rightsRow } from './rights.ts'
import type { HistoryRow } from './to-changes.ts'

const lsn = (step: number) => asLsn(step.toString(16).padStart(16, '0'))
const begin = (step: number) => ({ type: 'begin', xid: String(step), lsn: lsn(step), committedAt: 'now' }) as const
const row = (changed: Partial<HistoryRow> = {}): HistoryRow => ({
  table: 'public.t',
  operation: 'insert',
  key: '{"id":"1"}',
  data: '{"id":"1"}',
  oldData: null,
  audience: 'org:a',
  ...changed,
})
const tallyOf = (...wanted: string[]) => new BatchTally((audience) => wanted.includes(audience))

describe('the tally of a batch', () => {
  test('CAP-R21 wanted audiences are told whole transactions; what nobody wants is counted alone', () => {
    const tally = tallyOf('org:a')
    tally.addRow(row())
    tally.addRow(row({ audience: 'org:b' }))
    tally.addRow(row({ audience: null }))
    tally.commit(begin(1), true)
    tally.addRow(row({ audience: 'org:b' }))
    tally.commit(begin(2), true)
    tally.commit(begin(3), false)
    expect(tally).toMatchObject({ head: lsn(2), seenTo: lsn(3), storedRows: 4, definitionVersion: null })
    expect([...tally.news.audiences]).toEqual(['org:a'])
    expect(tally.news).toMatchObject({ everyone: false, hasMutations: false, rights: null })
    expect(tally.news.transactions).toEqual([
      {
        lsn: lsn(1),
        xid: '1',
        at: 'now',
        changes: [{ audience: 'org:a', text: '{"o":"i","t":"public.t","a":"org:a","d":{"id":"1"}}' }],
      },
    ])
  })

  test.each([
    ['a TRUNCATE', row({ operation: 'truncate', key: null, data: null, audience: null }), 1],
    ['a definition', row({ operation: 'definition', audience: null }), 1],
    ['changed rights', rightsRow(['ann']), 0],
  ])('CAP-R6 %s concerns everyone', (_, given, told) => {
    const tally = tallyOf()
    tally.addRow(given)
    tally.commit(begin(1), true)
    expect(tally.news.everyone).toBe(true)
    expect(tally.news.transactions).toHaveLength(told)
  })

  test('CAP-R33 a mutation counts whoever hears of it, and is told to its client alone', () => {
    const mutation = row({ operation: 'mutation', audience: 'client:x', data: '{"counter":1}' })
    const unheard = tallyOf()
    const heard = tallyOf('client:x')
    for (const tally of [unheard, heard]) {
      tally.addRow(mutation)
      tally.commit(begin(1), true)
      expect(tally.news.hasMutations).toBe(true)
    }
    expect(unheard.news.transactions).toEqual([])
    expect(heard.news.transactions).toMatchObject([{ changes: [{ audience: 'client:x', text: '{"counter":1}' }] }])
  })

  test('CAP-R21 more than a delivery may carry is not told at all, and its audiences still are', () => {
    const tally = tallyOf('org:a')
    const half = JSON.stringify({ id: 'x'.repeat(LIMITS.deliveryBytes / 2) })
    tally.addRow(row({ data: half }))
    tally.commit(begin(1), true)
    tally.addRow(row({ data: half }))
    tally.addRow(row())
    tally.commit(begin(2), true)
    expect(tally.news.transactions).toBeNull()
    expect([...tally.news.audiences]).toEqual(['org:a'])
    expect(tally).toMatchObject({ head: lsn(2), storedRows: 3 })
  })

  test('RGT-R1 rights of several transactions are joined', () => {
    const tally = tallyOf()
    tally.addRights(['ann'])
    tally.addRights(['bob', 'ann'])
    expect(tally.news.rights).toEqual(['ann', 'bob'])
    tally.addRights('all')
    expect(tally.news.rights).toBe('all')
  })
})
