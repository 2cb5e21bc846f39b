import { describe, expect, test } from 'vitest'
import type { Row } from '../../../protocol/index.ts'
import { WRITABLE } from '../../../testing/replica/definitions.ts'
import { keyText, replicaTables } from '../../store/replica-table.ts'
import type { CapturedWrite } from '../../store/rules/captured-write.ts'
import { undoWrites } from './undo-writes.ts'

const NOTE = 'public.note'
const FOLDER = 'public.folder'
const tables = replicaTables(WRITABLE, 'live')
const note = (id: string, title: string | null = null, rank = '1'): Row => ({
  id,
  org: 'a',
  folder: null,
  title,
  rank,
  number: '7',
})

function write(table: string, before: Row | null, after: Row | null): CapturedWrite {
  const of = tables.get(table)
  const op = before ? (after ? 'update' : 'delete') : 'insert'
  return { table, key: of ? keyText(of, after ?? before ?? {}) : 'k', op, before, after }
}
const undone = (...writes: CapturedWrite[]) => Object.fromEntries(undoWrites(writes, tables).get(NOTE) ?? [])

describe('rows are put back', () => {
  test('RBS-R2 REB-03 by what they were before the first of these writes, whatever came between', () => {
    const [one, two, three] = [note('1', 'a'), note('1', 'b'), note('1', 'c', '2')]
    expect(undone(write(NOTE, one, two), write(NOTE, two, three))).toEqual({
      1: { kind: 'update', key: { id: '1' }, row: { title: 'a', rank: '1' } },
    })
  })

  test('RBS-R2 in the columns alone that differ: what the server changed elsewhere stays', () => {
    const net = undone(write(NOTE, note('1', null), note('1', 'b')))
    expect(net).toEqual({ 1: { kind: 'update', key: { id: '1' }, row: { title: null } } })
  })

  test('RBS-R2 a row that came goes, one that went comes back whole', () => {
    expect(undone(write(NOTE, null, note('1')), write(NOTE, note('1'), note('1', 'b')))).toEqual({
      1: { kind: 'delete', key: { id: '1' } },
    })
    expect(undone(write(NOTE, note('1', 'a'), note('1', 'b')), write(NOTE, note('1', 'b'), null))).toEqual({
      1: { kind: 'insert', row: note('1', 'a') },
    })
  })

  test('RBS-R2 one that went and came again is as it was, under its key', () => {
    expect(undone(write(NOTE, note('1', 'a'), null), write(NOTE, null, note('1', 'b')))).toEqual({
      1: { kind: 'update', key: { id: '1' }, row: { title: 'a' } },
    })
  })

  test('RBS-R2 one that came and went is nothing to do', () => {
    expect(undone(write(NOTE, null, note('1')), write(NOTE, note('1'), null))).toEqual({})
  })

  test('RBS-R2 each by its table, and under the whole of its key', () => {
    const folder = { org: 'a', id: 'f', name: 'x' }
    const nets = undoWrites([write(FOLDER, null, folder), write(NOTE, null, note('1'))], tables)
    expect([...nets.keys()]).toEqual([FOLDER, NOTE])
    expect([...(nets.get(FOLDER)?.values() ?? [])]).toEqual([{ kind: 'delete', key: { org: 'a', id: 'f' } }])
  })

  test('of a table that the definition has no more nothing is done', () => {
    const nets = undoWrites([write('public.gone', { id: '1' }, null)], tables)
    expect([...nets.values()].flatMap((rows) => [...rows])).toEqual([])
  })
})
