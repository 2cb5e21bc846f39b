import { describe, expect, test } from 'vitest'
import { JOURNAL_FORMAT, type JournalRecord, recordSchema, retriedBy, retryOf } from './records.ts'

const begun: JournalRecord = { t: 'begun', format: JOURNAL_FORMAT, generation: 1, user: 'ann', client: 'client-1' }
const made: JournalRecord = {
  t: 'made',
  counter: 1,
  kind: 'patch',
  origin: 'sql',
  tab: 'tab-1',
  call: 'call-1',
  name: null,
  args: null,
  keys: null,
  at: '2026-11-29T00:00:00.000Z',
  patch: null,
  writes: [{ table_id: 'public.note', op: 'update', key: '1', before: '{}', after: '{}' }],
  hash: 'h',
  said: { epoch: 'e', version: 3 },
}

describe('a mutation that makes a failed one anew', () => {
  test.each([1, 7, 2 ** 53 - 1])('OBX-R12 JRN-R8 says which one: %s', (counter) => {
    expect(retriedBy(retryOf(counter))).toBe(counter)
  })

  test.each([
    'app',
    'retry',
    'retry ',
    'retry x',
    'retry 1 ',
    ' retry 1',
    'retry -1',
    'retry 1.5',
    'undo 1',
    'my retry 1',
  ])('JRN-R8 is not one of the origin %j', (origin) => {
    expect(retriedBy(origin)).toBeNull()
  })
})

describe('a record', () => {
  test('JRN-R10 is read back as it was written', () => {
    const all: JournalRecord[] = [
      begun,
      { t: 'sealed', counter: 0 },
      { t: 'definition', hash: 'h', definition: { types: [], tables: [] } },
      made,
      { t: 'frozen', counter: 1, request: '{"a":"ä"}', predicted: '[]', took: [2, 3] },
      { t: 'failed', counter: 1, rejection: { kind: 'conflict', message: 'm', row: { id: '1', title: null } } },
      { t: 'ended', counter: 1, how: 'gone' },
      { t: 'left' },
    ]
    for (const record of all) expect(recordSchema.parse(JSON.parse(JSON.stringify(record)))).toEqual(record)
  })

  test.each<[string, object]>([
    ['of another format', { ...begun, format: JOURNAL_FORMAT + 1 }],
    ['of no generation', { ...begun, generation: 0 }],
    ['of a kind that there is not', { t: 'later' }],
    ['of a number that was never given', { ...made, counter: 0 }],
    ['of a write without its key', { ...made, writes: [{ table_id: 't', op: 'update', before: null, after: null }] }],
    [
      'of a write of no known operation',
      { ...made, writes: [{ table_id: 't', op: 'truncate', key: '1', before: null, after: null }] },
    ],
    ['of an end that there is not', { t: 'ended', counter: 1, how: 'lost' }],
    ['of a failure without its kind', { t: 'failed', counter: 1, rejection: { message: 'm' } }],
    ['of a text without what it took in', { t: 'frozen', counter: 1, request: '{}', predicted: null }],
  ])('JRN-R10 %s is none that can be read', (_, record) => {
    expect(recordSchema.safeParse(record).success).toBe(false)
  })
})
