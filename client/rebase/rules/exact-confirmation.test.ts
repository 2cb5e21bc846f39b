import { describe, expect, test } from 'vitest'
import type { Change, Row } from '../../../protocol/index.ts'
import { captured, FOLDER, NOTE, note, tables } from '../../../testing/replica/writable-rows.ts'
import type { CapturedWrite } from '../../store/rules/captured-write.ts'
import { isExact } from './exact-confirmation.ts'

const write = (before: Row | null, after: Row | null, table = NOTE) => captured(table, before, after)
const named = { table: NOTE, audience: 'org:a' }
const inserted = (data: Row): Change => ({ op: 'insert', ...named, data })
const updated = (id: string, data: Row): Change => ({ op: 'update', ...named, key: { id }, data })
const deleted = (id: string): Change => ({ op: 'delete', ...named, key: { id } })
const exact = (changes: Change[], ...writes: CapturedWrite[]) => isExact(changes, writes, tables)

describe('a confirmation is exact', () => {
  test('RBS-R4 where each row was committed as it stands here', () => {
    expect(exact([inserted(note('1'))], write(null, note('1')))).toBe(true)
    expect(exact([updated('1', { title: 'x' })], write(note('1'), note('1', { title: 'x' })))).toBe(true)
    expect(exact([deleted('1')], write(note('1'), null))).toBe(true)
  })

  test('RBS-R4 by what several writes of a row come to', () => {
    const [one, two] = [note('1', { title: 'a' }), note('1', { title: 'b' })]
    expect(exact([inserted(two)], write(null, one), write(one, two))).toBe(true)
    expect(exact([updated('1', { title: 'b' })], write(note('1'), one), write(one, two))).toBe(true)
    expect(exact([inserted(one)], write(null, one), write(one, two))).toBe(false)
  })

  test('FLD-134 RBS-R4 not where a column that every object has by name was predicted and not written', () => {
    const [before, after] = [note('1', { constructor: 'a' }), note('1', { constructor: 'b' })]
    expect(exact([updated('1', {})], write(before, after))).toBe(false)
    expect(exact([updated('1', { constructor: 'b' })], write(before, after))).toBe(true)
  })

  test('RBS-R4 where what came to nothing here was not committed either', () => {
    const edited = note('1', { title: 'x' })
    expect(exact([], write(null, note('1')), write(note('1'), null))).toBe(true)
    expect(exact([], write(note('1'), edited), write(edited, note('1')))).toBe(true)
    expect(exact([])).toBe(true)
  })

  test('RBS-R4 also by a key of several columns, in whichever order the stream tells them', () => {
    const folder = { id: 'f', org: 'a', name: 'x' }
    const change: Change = { op: 'delete', table: FOLDER, audience: 'org:a', key: { id: 'f', org: 'a' } }
    expect(exact([change], write(folder, null, FOLDER))).toBe(true)
  })
})

describe('a confirmation is not exact', () => {
  const edit = write(note('1'), note('1', { title: 'x' }))

  test.each<[string, Change[]]>([
    ['that was committed with another value', [updated('1', { title: 'X' })]],
    ['that was committed with a further column', [updated('1', { title: 'x', rank: '2' })]],
    ['that lacks a column which was written here', [updated('1', { rank: '1' })]],
    ['that was not committed at all', []],
    ['that was committed twice', [updated('1', { title: 'x' }), updated('1', { title: 'x' })]],
    ['that was an edit and became a delete', [deleted('1')]],
    ['that was an edit and became an insert', [inserted(note('1', { title: 'x' }))]],
    ['beside which another row was changed', [updated('1', { title: 'x' }), updated('2', { title: 'x' })]],
    [
      'beside which a table was emptied',
      [{ op: 'truncate', table: NOTE, audience: null }, updated('1', { title: 'x' })],
    ],
    [
      'beside which a table that is not here was changed',
      [updated('1', { title: 'x' }), { ...deleted('1'), table: 'public.gone' } as Change],
    ],
  ])('REB-12 RBS-R4 of a row %s', (_, changes) => {
    expect(exact(changes, edit)).toBe(false)
  })

  test('RBS-R4 of a new row into which the server filled something, or of which it told too little', () => {
    const made = write(null, note('1', { number: null }))
    expect(exact([inserted(note('1', { number: '8' }))], made)).toBe(false)
    const { title: _, ...less } = note('1', { number: null })
    expect(exact([inserted(less)], made)).toBe(false)
  })

  test('RBS-R4 of a row that came and went here, and stayed there', () => {
    expect(exact([inserted(note('1'))], write(null, note('1')), write(note('1'), null))).toBe(false)
  })

  test('RBS-R4 of a row of the same key in another table', () => {
    expect(exact([{ ...deleted('1'), table: 'public.label' } as Change], write(note('1'), null))).toBe(false)
  })
})
