import { describe, expect, test } from 'vitest'
import { foldJournal, type JournalState, newestJournal } from './fold-journal.ts'
import { encodeFrames } from './frames.ts'
import type { JournalRecord } from './records.ts'

const begun = (generation = 1): JournalRecord => ({
  t: 'begun',
  format: 1,
  generation,
  user: 'ann',
  client: 'client-1',
})
const sealed = (counter = 0): JournalRecord => ({ t: 'sealed', counter })
const made = (counter: number, origin = 'app'): JournalRecord => ({
  t: 'made',
  counter,
  kind: 'action',
  origin,
  tab: null,
  call: null,
  name: 'act',
  args: `"ä${counter}"`,
  keys: null,
  at: '2026-11-29T00:00:00.000Z',
  patch: null,
  writes: [],
  hash: null,
  said: null,
})
const frozen = (counter: number, took: number[] = []): JournalRecord => ({
  t: 'frozen',
  counter,
  request: `{"counter":${counter}}`,
  predicted: null,
  took,
})
const failed = (counter: number): JournalRecord => ({
  t: 'failed',
  counter,
  rejection: { kind: 'refused', message: 'No.' },
})
const ended = (counter: number, how: 'confirmed' | 'gone' = 'confirmed'): JournalRecord => ({
  t: 'ended',
  counter,
  how,
})

const fileOf = (...records: JournalRecord[]) => encodeFrames(records.map((record) => JSON.stringify(record)))
const stateOf = (...records: JournalRecord[]): JournalState => {
  const state = foldJournal(fileOf(begun(), sealed(), ...records))
  if (!state) throw new Error('Not readable.')
  return state
}

describe('what a journal tells', () => {
  test('JRN-R8 how each ended; those that were taken in end with the one that took them', () => {
    const state = stateOf(
      made(1),
      made(2),
      made(3),
      made(4),
      made(5),
      frozen(1, [2]),
      failed(3),
      ended(1),
      made(6, 'retry 3'),
      ended(5, 'gone'),
    )
    expect([...state.open.keys()]).toEqual([4, 6])
    expect([...state.ended]).toEqual([
      [1, 'confirmed'],
      [2, 'confirmed'],
      [3, 'gone'],
      [5, 'gone'],
    ])
    expect(state).toMatchObject({ counter: 6, client: 'client-1', isWhole: true, hasLeft: false })
  })

  test('JRN-R12 of two files the newest that was sealed is in force, wherever the begin of the next was cut', () => {
    const old = fileOf(begun(7), made(1), sealed(1), made(2))
    const next = fileOf(begun(8), made(2), sealed(2))
    for (let cut = 0; cut < next.length; cut++)
      expect(newestJournal([next.slice(0, cut), old])).toMatchObject({ slot: 1, state: { generation: 7, counter: 2 } })
    expect(newestJournal([next, old])).toMatchObject({ slot: 0, state: { generation: 8, isWhole: true } })
    expect(newestJournal([new Uint8Array(), new Uint8Array([1, 2, 3])])).toBeNull()
  })

  test('JRN-R10 a record that nobody can read ends the reading', () => {
    const state = foldJournal(
      encodeFrames([JSON.stringify(begun()), JSON.stringify(sealed()), '{"t":"later"}', JSON.stringify(made(1))]),
    )
    expect(state).toMatchObject({ isWhole: false, counter: 0 })
  })

  test('JRN-R10 the highest number is that of all that was given, ended or not, and of what was given before', () => {
    expect(stateOf(made(3), made(9), ended(9)).counter).toBe(9)
    expect(foldJournal(fileOf(begun(), sealed(40), made(3)))?.counter).toBe(40)
  })

  test('JRN-R8 a failure is there with its reason, and one that was frozen with its text', () => {
    const state = stateOf(made(1), frozen(1), failed(1))
    expect(state.open.get(1)).toMatchObject({
      made: { counter: 1 },
      frozen: { request: '{"counter":1}' },
      rejection: { kind: 'refused', message: 'No.' },
    })
  })

  test('JRN-R7 what another took in never goes by itself, whatever is told of it afterwards', () => {
    const state = stateOf(made(1), made(2), frozen(1, [2]), failed(2))
    expect([...state.open.keys()]).toEqual([1])
    expect(state.open.get(1)?.frozen?.took).toEqual([2])
  })

  test('JRN-R6 one that is recorded twice stands as it was recorded first', () => {
    const state = stateOf(made(1), failed(1), made(1, 'other'))
    expect(state.open.get(1)).toMatchObject({ made: { origin: 'app' }, rejection: { kind: 'refused' } })
  })

  test('JRN-R8 what is told of a number that was never made makes none', () => {
    const state = stateOf(frozen(7), failed(8), ended(9, 'gone'))
    expect([...state.open.keys()]).toEqual([])
  })

  test('JRN-R11 a sign-out is read, whatever was unsent', () => {
    expect(stateOf(made(1), { t: 'left' })).toMatchObject({ hasLeft: true })
    expect(stateOf(made(1)).hasLeft).toBe(false)
  })

  test('JRN-R12 a file that was never sealed, or does not say whose it is, tells nothing', () => {
    expect(foldJournal(fileOf(begun(), made(1)))).toBeNull()
    expect(foldJournal(fileOf(sealed(), made(1)))).toBeNull()
    expect(foldJournal(fileOf())).toBeNull()
    expect(foldJournal(encodeFrames([JSON.stringify({ ...begun(), format: 2 }), JSON.stringify(sealed())]))).toBeNull()
  })

  test('JRN-R10 what is torn at its end tells all that stood before', () => {
    const bytes = fileOf(begun(), sealed(), made(1), made(2))
    expect(foldJournal(bytes.subarray(0, bytes.length - 1))).toMatchObject({ isWhole: false, counter: 1 })
  })

  test.each([1, 8, 16, 20])(
    'JRN-R10 %s zeros behind the records, as a file system may leave them, are damage',
    (zeros) => {
      const bytes = fileOf(begun(), sealed(), made(1))
      const padded = new Uint8Array(bytes.length + zeros)
      padded.set(bytes)
      const state = foldJournal(padded)
      expect(state).toMatchObject({ isWhole: false, counter: 1 })
      expect([...(state?.open.keys() ?? [])]).toEqual([1])
    },
  )
})
