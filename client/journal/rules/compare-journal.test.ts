import { describe, expect, test } from 'vitest'
import { compareJournal, type KnownMutation, type Recovery, SKIPPED_NUMBERS } from './compare-journal.ts'
import { foldJournal, type JournalState } from './fold-journal.ts'
import { encodeFrames } from './frames.ts'
import type { JournalRecord } from './records.ts'

/** The database lacks no mutation, text or end of one that its journal records. */
const isNothingNew = ({ missing, foreign, frozen, committed, failed, discarded }: Recovery): boolean =>
  [missing, foreign, frozen, committed, discarded].every(({ length }) => length === 0) && failed.size === 0

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
      const recovery = compareJournal(journal, database)
      expect(isNothingNew(recovery)).toBe(true)
      expect(recovery).toMatchObject({ client: 'client-1', counter: database.counter })
    }
  })

  test('JRN-R9 one that is new goes on under the journal’s client id and numbers', () => {
    const journal = stateOf(made(1), made(2), ended(2))
    const recovery = compareJournal(journal, { client: 'client-2', counter: 0, mutations: [] })
    expect(recovery).toMatchObject({ client: 'client-1', counter: 2 })
    expect(numbers(recovery.missing)).toEqual([1])
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
    const recovery = compareJournal(journal, known(6, row(1), row(2), row(3), row(4), row(5), row(6)))
    expect(numbers(recovery.frozen)).toEqual([1])
    expect([...recovery.failed.keys()]).toEqual([3, 5])
    expect(recovery).toMatchObject({ committed: [4], discarded: [5], counter: 7 })
    expect(numbers(recovery.missing)).toEqual([7])
  })

  test('JRN-R9 what the journal no longer tells of is kept as failed, with its data', () => {
    const journal = foldJournal(fileOf(begun(), sealed(5)))
    if (!journal) throw new Error('Not readable.')
    const { failed: found } = compareJournal(journal, known(5, row(4), row(5, 'failed')))
    expect([...found]).toMatchObject([[4, { kind: 'outcome-unknown' }]])
  })

  test('JRN-R9 one that goes on under another client id keeps what it reads back for the app to decide', () => {
    const recovery = compareJournal(stateOf(made(1)), { client: 'client-2', counter: 3, mutations: [] })
    expect(recovery).toMatchObject({ client: 'client-2', counter: 3, missing: [] })
    expect(numbers(recovery.foreign)).toEqual([1])
  })

  test('JRN-R9 a number that the database gave and its journal never recorded is no matter of the journal', () => {
    const recovery = compareJournal(stateOf(made(1)), known(3, row(1), row(2), row(3)))
    expect(isNothingNew(recovery)).toBe(true)
  })

  test('JRN-R9 a failure that waits here is learnt once, and one that is confirmed here is not undone', () => {
    const journal = stateOf(made(1), failed(1), made(2), failed(2))
    const recovery = compareJournal(journal, known(2, row(1, 'failed'), row(2, 'confirmed')))
    expect(isNothingNew(recovery)).toBe(true)
  })

  test('JRN-R7 JRN-R9 what was taken in waits for the one that took it, and is no unknown outcome of its own', () => {
    const journal = stateOf(made(1), made(2), frozen(1, [2]))
    const recovery = compareJournal(journal, known(2, row(1), row(2)))
    expect(numbers(recovery.frozen)).toEqual([1])
    expect(recovery).toMatchObject({ failed: new Map(), discarded: [], committed: [] })
  })

  test('JRN-R9 one that was discarded goes here too, failed already or not', () => {
    const journal = stateOf(made(1), failed(1), ended(1, 'gone'), made(2), failed(2), made(3, 'retry 2'))
    const recovery = compareJournal(journal, known(3, row(1, 'failed'), row(2, 'failed'), row(3)))
    expect(recovery).toMatchObject({ discarded: [1, 2], failed: new Map() })
  })

  test('JRN-R10 no number is skipped where nothing was lost, or the database is ahead of what was', () => {
    const torn = { ...stateOf(made(1)), isWhole: false }
    expect(compareJournal(torn, known(1, row(1))).counter).toBe(1)
    expect(compareJournal(stateOf(made(1)), known(0)).counter).toBe(1)
    expect(SKIPPED_NUMBERS).toBeGreaterThan(2 ** 31)
  })
})
