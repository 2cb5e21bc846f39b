import { describe, expect, test } from 'vitest'
import type { Row } from '../../../protocol/index.ts'
import type { CapturedWrite } from '../../store/rules/captured-write.ts'
import type { ForeignKey } from '../../store/rules/foreign-keys.ts'
import { cascadesAmong } from './cascades.ts'

const write = (table: string, before: Row | null, after: Row | null): CapturedWrite => ({
  table,
  key: String((before ?? after)?.id),
  op: before ? (after ? 'update' : 'delete') : 'insert',
  before,
  after,
})
const folder = (id: string, name = ''): Row => ({ id, name })
const note = (id: string, of: string | null, title = ''): Row => ({ id, folder: of, title })
const key = (more: Partial<ForeignKey> = {}): ForeignKey => ({
  table: 'note',
  columns: ['folder'],
  parent: 'folder',
  parentColumns: ['id'],
  onDelete: 'CASCADE',
  onUpdate: 'CASCADE',
  ...more,
})

describe('what a foreign key did for its parent', () => {
  test('OUT-14 RBS-R1 is to delete the children of a row that is deleted, through any number of tables', () => {
    const comments = key({ table: 'comment', columns: ['note'], parent: 'note' })
    const writes = [
      write('folder', folder('f'), null),
      write('note', note('1', 'f'), null),
      write('comment', { id: 'c', note: '1' }, null),
    ]
    expect(cascadesAmong(writes, [key(), comments])).toEqual([false, true, true])
  })

  test('OUT-14 RBS-R1 is to set NULL, or the default, in what referred to it', () => {
    const writes = (to: string | null) => [
      write('folder', folder('f'), null),
      write('note', note('1', 'f'), note('1', to)),
    ]
    expect(cascadesAmong(writes(null), [key({ onDelete: 'SET NULL' })])).toEqual([false, true])
    expect(cascadesAmong(writes('none'), [key({ onDelete: 'SET DEFAULT' })])).toEqual([false, true])
  })

  test('RBS-R1 is to follow a parent’s columns that change beside its key', () => {
    const byName = key({ parentColumns: ['name'], onDelete: null })
    const writes = [write('folder', folder('f', 'a'), folder('f', 'b')), write('note', note('1', 'a'), note('1', 'b'))]
    expect(cascadesAmong(writes, [byName])).toEqual([false, true])
    expect(cascadesAmong(writes, [{ ...byName, onUpdate: null, onDelete: 'CASCADE' }])).toEqual([false, false])
  })

  test('RBS-R1 is done by keys of several columns where all of them agree', () => {
    const wide = key({ columns: ['org', 'folder'], parentColumns: ['org', 'id'] })
    const parent = { org: 'a', id: 'f' }
    const child = (org: string): Row => ({ id: org, org, folder: 'f' })
    const writes = [write('folder', parent, null), write('note', child('a'), null), write('note', child('b'), null)]
    expect(cascadesAmong(writes, [wide])).toEqual([false, true, false])
  })
})

describe('the author’s own', () => {
  test('RBS-R1 are writes before the parent went, and of rows that referred to another or to none', () => {
    const writes = [
      write('note', note('1', 'f'), null),
      write('folder', folder('f'), null),
      write('note', note('2', 'g'), null),
      write('note', note('3', null), null),
    ]
    expect(cascadesAmong(writes, [key()])).toEqual([false, false, false, false])
  })

  test('RBS-R1 are writes to children of a parent that changed in nothing they refer to', () => {
    const writes = [write('folder', folder('f'), folder('f', 'named')), write('note', note('1', 'f'), null)]
    expect(cascadesAmong(writes, [key()])).toEqual([false, false])
  })

  test('RBS-R1 is an update that changes more than a foreign key would', () => {
    const writes = [write('folder', folder('f'), null), write('note', note('1', 'f', 'a'), note('1', null, 'b'))]
    expect(cascadesAmong(writes, [key({ onDelete: 'SET NULL' })])).toEqual([false, false])
  })

  test('RBS-R1 is a new row, also right after a cascade, unless it is the one that moved', () => {
    const writes = [
      write('folder', folder('f'), null),
      write('note', note('1', 'f', 'a'), null),
      write('note', null, note('2', 'g', 'other')),
    ]
    expect(cascadesAmong(writes, [key()])).toEqual([false, true, false])
  })

  test('RBS-R1 is everything where the key does nothing of its own', () => {
    const writes = [write('folder', folder('f'), null), write('note', note('1', 'f'), null)]
    expect(cascadesAmong(writes, [key({ onDelete: null, onUpdate: null })])).toEqual([false, false])
    expect(cascadesAmong(writes, [])).toEqual([false, false])
  })

  test.each([
    ['that only follows its parent', key({ onDelete: null })],
    ['that is emptied where its parent goes', key({ onDelete: 'SET NULL' })],
  ])('FLD-135 OUT-14 RBS-R1 is to delete, after its parent, a child %s', (_, only) => {
    const writes = [write('folder', folder('f'), null), write('note', note('1', 'f'), null)]
    expect(cascadesAmong(writes, [only])).toEqual([false, false])
  })

  const moved = [write('folder', folder('f'), null), write('folder', null, folder('g'))]

  test.each([
    ['moves', key(), 'g'],
    ['moves, though a deleted parent empties it', key({ onDelete: 'SET NULL' }), 'g'],
    ['moves, though a deleted parent resets it', key({ onDelete: 'SET DEFAULT' }), 'g'],
    ['moves by hand', key({ onUpdate: null }), 'g'],
  ])(
    'FLD-136 OUT-14 RBS-R1 is a child that follows a changed key, which the server gets as a delete and an insert: it %s',
    (_, only, to) => {
      expect(cascadesAmong([...moved, write('note', note('1', 'f'), note('1', to))], [only])).toEqual([
        false,
        false,
        false,
      ])
    },
  )

  test('FLD-136 OUT-14 RBS-R1 is a child’s new key that follows its parent’s; the old one goes by itself', () => {
    const item = (of: string): Row => ({ id: '1', folder: of, title: 't' })
    const writes = [...moved, write('note', item('f'), null), write('note', null, item('g'))]
    expect(cascadesAmong(writes, [key()])).toEqual([false, false, true, false])
    expect(cascadesAmong(writes, [key({ onDelete: null })])).toEqual([false, false, false, false])
  })

  test('FLD-135 OUT-14 RBS-R1 is to delete a child of a parent whose key changed, where it would only have moved', () => {
    const parent = [write('folder', folder('f'), null), write('folder', null, folder('g'))]
    const moving = key({ onDelete: null })
    const other = write('note', null, note('2', 'g', 'other'))
    expect(cascadesAmong([...parent, write('note', note('1', 'f'), null), other], [moving])).toEqual([
      false,
      false,
      false,
      false,
    ])
  })

  test('RBS-R1 is what refers to a table of the same values, but another', () => {
    const elsewhere = key({ parent: 'shelf' })
    const writes = [write('folder', folder('f'), null), write('note', note('1', 'f'), null)]
    expect(cascadesAmong(writes, [elsewhere])).toEqual([false, false])
  })
})
