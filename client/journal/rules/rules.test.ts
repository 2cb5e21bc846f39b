import { describe, expect, test } from 'vitest'
import { compareJournal, hasLearnt, type KnownMutation, SKIPPED_NUMBERS } from './compare-journal.ts'
import { foldJournal, type JournalState, newestJournal } from './fold-journal.ts'
import { decodeFrames, encodeFrames } from './frames.ts'
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
  name: 'act',
  args: `"ä${counter}"`,
  at: '2026-11-29T00:00:00.000Z',
  patch: null,
  writes: [],
  hash: null,
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

describe('records in a file', () => {
  const texts = ['', 'a', '{"ä":"💧"}', 'x'.repeat(1_000)]

  test('JRN-R10 a file that is cut at any byte tells what stood whole before the cut, and that it was cut', () => {
    const bytes = encodeFrames(texts)
    expect(decodeFrames(bytes)).toEqual({ texts, isWhole: true })
    let end = 0
    const ends = texts.map((text) => (end += 8 + new TextEncoder().encode(text).length))
    for (let cut = 0; cut < bytes.length; cut++) {
      const whole = ends.filter((one) => one <= cut).length
      const isWhole = cut === 0 || ends.includes(cut)
      expect(decodeFrames(bytes.subarray(0, cut))).toEqual({ texts: texts.slice(0, whole), isWhole })
    }
  })

  test('JRN-R10 no byte can change unseen, and nothing behind it is read', () => {
    const bytes = encodeFrames(texts)
    for (let place = 0; place < bytes.length; place++) {
      const damaged = bytes.slice()
      damaged[place] = (damaged[place] ?? 0) ^ 0x20
      const found = decodeFrames(damaged)
      expect(found.isWhole).toBe(false)
      expect(texts.slice(0, found.texts.length)).toEqual(found.texts)
    }
  })
})

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
})

describe('what a database lacks of its journal', () => {
  const known = (counter: number, ...mutations: KnownMutation[]) => ({ client: 'client-1', counter, mutations })
  const row = (counter: number, status: KnownMutation['status'] = 'pending', isFrozen = false) => ({
    counter,
    status,
    isFrozen,
  })
  const numbers = (list: readonly { readonly made: { readonly counter: number } }[]) =>
    list.map(({ made: { counter } }) => counter)

  test('JRN-R9 nothing where it is as new as the journal, or newer', () => {
    const journal = stateOf(made(1), made(2), frozen(2), made(3), ended(3))
    for (const database of [
      known(3, row(1), row(2, 'sent', true)),
      known(3, row(1, 'sent', true), row(2, 'failed')),
      known(5, row(4), row(5, 'failed')),
      known(3, row(1, 'confirmed')),
    ]) {
      const learning = compareJournal(journal, database)
      expect(hasLearnt(learning)).toBe(true)
      expect(learning).toMatchObject({ client: 'client-1', counter: database.counter })
    }
  })

  test('JRN-R9 one that is new goes on under the journal’s client id and numbers', () => {
    const journal = stateOf(made(1), made(2), ended(2))
    const learning = compareJournal(journal, { client: 'client-2', counter: 0, mutations: [] })
    expect(learning).toMatchObject({ client: 'client-1', counter: 2 })
    expect(numbers(learning.taken)).toEqual([1])
  })

  test('JRN-R10 where the journal is not whole, numbers that it may have lost are skipped', () => {
    const torn = { ...stateOf(made(1)), isWhole: false }
    expect(compareJournal(torn, { client: 'client-2', counter: 0, mutations: [] }).counter).toBe(1 + SKIPPED_NUMBERS)
    expect(compareJournal(torn, known(0)).counter).toBe(1 + SKIPPED_NUMBERS)
    expect(compareJournal(torn, known(4, row(4))).counter).toBe(4)
  })

  test('JRN-R9 one that was set back learns what left, failed, was confirmed and was decided on', () => {
    const journal = stateOf(
      ...[1, 2, 3, 4, 5, 6, 7].map((counter) => made(counter)),
      frozen(1, [2]),
      failed(3),
      ended(4),
      failed(5),
      ended(5, 'gone'),
    )
    const learning = compareJournal(journal, known(6, row(1), row(2), row(3), row(4), row(5), row(6)))
    expect(numbers(learning.frozen)).toEqual([1])
    expect([...learning.failed.keys()]).toEqual([3, 5])
    expect(learning).toMatchObject({ committed: [4], discarded: [5], counter: 7 })
    expect(numbers(learning.taken)).toEqual([7])
  })

  test('JRN-R9 what the journal no longer tells of is kept as failed, with its data', () => {
    const journal = foldJournal(fileOf(begun(), sealed(5)))
    if (!journal) throw new Error('Not readable.')
    const { failed: found } = compareJournal(journal, known(5, row(4), row(5, 'failed')))
    expect([...found]).toMatchObject([[4, { kind: 'outcome-unknown' }]])
  })

  test('JRN-R9 one that goes on under another client id keeps what it reads back for the app to decide', () => {
    const learning = compareJournal(stateOf(made(1)), { client: 'client-2', counter: 3, mutations: [] })
    expect(learning).toMatchObject({ client: 'client-2', counter: 3, taken: [] })
    expect(numbers(learning.foreign)).toEqual([1])
  })
})
