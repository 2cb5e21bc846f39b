import { describe, expect, test } from 'vitest'
import type { Row } from '../../../protocol/index.ts'
import { FOLDER, NOTE, note, tables } from '../../../testing/replica/writable-rows.ts'
import { predictedChanges } from './predicted-changes.ts'

const write = (before: Row | null, after: Row | null, table = NOTE) => ({ table, before, after })
const changes = (...writes: ReturnType<typeof write>[]) => predictedChanges(writes, tables)
const named = { t: NOTE, a: 'org:a', k: { id: '1' } }

describe('what writes come to, as the stream would tell it', () => {
  test('MRK-R2 is one change a row: an insert whole, an update by what differs, a delete by its key', () => {
    const edited = note('1', { title: 'a', rank: '2' })
    expect(changes(write(null, note('1')), write(note('1'), edited))).toEqual([{ o: 'i', ...named, d: edited }])
    expect(changes(write(note('1'), note('1', { title: 'x' })), write(note('1', { title: 'x' }), edited))).toEqual([
      { o: 'u', ...named, d: { title: 'a', rank: '2' } },
    ])
    expect(changes(write(note('1'), edited), write(edited, null))).toEqual([{ o: 'd', ...named }])
  })

  test('DIS-13 is nothing where nothing is left of it', () => {
    const edited = note('1', { title: 'a' })
    expect(changes(write(note('1'), edited), write(edited, note('1')))).toEqual([])
    expect(changes(write(null, note('1')), write(note('1'), null))).toEqual([])
    expect(changes()).toEqual([])
  })

  test('CAP-R4 CAP-07 is a delete there and an insert here, where a row changes its audience', () => {
    expect(changes(write(note('1'), note('1', { org: 'b' })))).toEqual([
      { o: 'd', ...named },
      { o: 'i', ...named, a: 'org:b', d: note('1', { org: 'b' }) },
    ])
  })

  test('CAP-R4 CAP-06 is a delete and an insert where a row changes its key, also a key of several columns', () => {
    expect(changes(write(note('1'), note('2')))).toEqual([
      { o: 'd', ...named },
      { o: 'i', ...named, k: { id: '2' }, d: note('2') },
    ])
    const folder = { id: 'f', org: 'a', name: 'x' }
    expect(changes(write(folder, null, FOLDER))).toEqual([{ o: 'd', t: FOLDER, a: 'org:a', k: { org: 'a', id: 'f' } }])
  })

  test('CAP-R5 CAP-08 is told to nobody of a row of no audience', () => {
    const nobody = note('1', { org: null })
    expect(changes(write(null, nobody))).toEqual([])
    expect(changes(write(nobody, { ...nobody, title: 'a' }))).toEqual([])
    expect(changes(write(nobody, null))).toEqual([])
    expect(changes(write(note('1'), nobody))).toEqual([{ o: 'd', ...named }])
    expect(changes(write(nobody, note('1')))).toEqual([{ o: 'i', ...named, d: note('1') }])
  })

  test('has rows in the order in which they were first written', () => {
    const order = changes(write(null, note('2')), write(null, note('1')), write(note('2'), note('2', { rank: '3' })))
    expect(order.map(({ k }) => k.id)).toEqual(['2', '1'])
  })
})
