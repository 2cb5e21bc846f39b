import { describe, expect, test } from 'vitest'
import type { PatchRow, Row } from '../../../protocol/index.ts'
import { WRITABLE } from '../../../testing/replica/definitions.ts'
import { keyText, replicaTables } from '../../store/replica-table.ts'
import { effectsOfPatch, effectsOfWrites } from './effects.ts'

const NOTE = 'public.note'
const FOLDER = 'public.folder'
const tables = replicaTables(WRITABLE, 'live')

describe('what an action wrote', () => {
  const write = (counter: number, key: string, after: Row | null, cascade = false) => ({
    counter,
    cascade,
    table: NOTE,
    key,
    op: after ? ('insert' as const) : ('delete' as const),
    before: null,
    after,
  })

  test('RBS-R6 are its own writes, what foreign keys did for it left out', () => {
    const writes = [
      write(1, 'a', { id: 'a' }),
      write(2, 'b', { id: 'b' }),
      write(1, 'c', null, true),
      write(1, 'd', null),
    ]
    expect(effectsOfWrites(1, writes)).toEqual({
      counter: 1,
      rows: [
        { table: NOTE, key: 'a', op: 'insert', values: { id: 'a' } },
        { table: NOTE, key: 'd', op: 'delete', values: null },
      ],
    })
  })

  test('is nothing where it wrote nothing here', () => {
    expect(effectsOfWrites(9, [write(1, 'a', { id: 'a' })])).toEqual({ counter: 9, rows: [] })
  })
})

describe('what a patch writes', () => {
  const row = (t: string, more: object): PatchRow => ({ t, a: 'org:a', ...more }) as PatchRow

  test('RBS-R6 are its rows by the keys under which they are captured', () => {
    const folder = tables.get(FOLDER)
    if (!folder) throw new Error('There is no folder.')
    const { rows } = effectsOfPatch(
      4,
      [
        row(FOLDER, { o: 'i', k: { id: 'f', org: 'a' }, d: { id: 'f', org: 'a', name: null } }),
        row(NOTE, { o: 'u', k: { id: '1' }, d: { folder: 'f' }, b: { folder: { v: null } } }),
        row(NOTE, { o: 'd', k: { id: '2' } }),
      ],
      tables,
    )
    expect(rows).toEqual([
      {
        table: FOLDER,
        key: keyText(folder, { org: 'a', id: 'f' }),
        op: 'insert',
        values: { id: 'f', org: 'a', name: null },
      },
      { table: NOTE, key: '1', op: 'update', values: { folder: 'f' } },
      { table: NOTE, key: '2', op: 'delete', values: null },
    ])
  })

  test('RBS-R7 are none of a table that this replica has no more', () => {
    expect(effectsOfPatch(4, [row('public.gone', { o: 'd', k: { id: '1' } })], tables)).toEqual({
      counter: 4,
      rows: [],
    })
  })
})
