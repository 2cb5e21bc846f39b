import { describe, expect, test } from 'vitest'
import type { Definition, PatchRow } from '../../../protocol/index.ts'
import { column, defineTable } from '../../../testing/replica/definitions.ts'
import { replicaTables } from '../../store/replica-table.ts'
import { foreignKeysOf } from '../../store/rules/foreign-keys.ts'
import { newNames, refusedKeys, renameKeys } from './rename-keys.ts'

const id = column('id', 'integer', { leased: 'public.t_id_seq' })
const definition: Definition = {
  types: [],
  tables: [
    defineTable('t', [id, column('up', 'integer'), column('size', 'integer')], {
      refers: [{ columns: ['up'], parent: 'public.t', parentColumns: ['id'] }],
    }),
    // Its key is its parent's, so that what refers to it refers to that.
    defineTable('detail', [column('t', 'integer')], {
      refers: [{ columns: ['t'], parent: 'public.t', parentColumns: ['id'] }],
    }),
    defineTable('line', [column('id'), column('detail', 'integer')], {
      refers: [{ columns: ['detail'], parent: 'public.detail', parentColumns: ['t'] }],
    }),
  ],
}
const tables = replicaTables(definition, 'live')
const [T, DETAIL, LINE] = ['public.t', 'public.detail', 'public.line']
const made = (t: string, k: Record<string, string>, d: Record<string, string | null> = {}): PatchRow => ({
  o: 'i',
  t,
  a: 'org:a',
  k,
  d: { ...k, ...d },
})
const patch = [
  made(T, { id: '5' }, { up: null, size: '5' }),
  made(T, { id: '6' }, { up: '5', size: '6' }),
  made(DETAIL, { t: '5' }),
  made(LINE, { id: '5' }, { detail: '5' }),
]
const key = (of: string) => ({ table: T, column: 'id', sequence: 'public.t_id_seq', key: of })

describe('keys of new rows that were refused', () => {
  test('LSE-R7 the row that was named, all of a table, all of a mutation', () => {
    expect(refusedKeys(patch, tables, { kind: 'key-taken', table: T, key: { id: '6' } })).toEqual([key('6')])
    expect(refusedKeys(patch, tables, { kind: 'key-taken', table: T })).toEqual([key('5'), key('6')])
    expect(refusedKeys(patch, tables, { kind: 'key-taken', table: LINE })).toEqual([])
    expect(refusedKeys(patch, tables, { kind: 'key-unleased', table: T, key: { id: '6' } })).toHaveLength(2)
    const edit: PatchRow = { o: 'u', t: T, a: 'org:a', k: { id: '5' }, d: { size: '1' }, b: { size: { v: '5' } } }
    expect(refusedKeys([edit], tables, { kind: 'key-unleased' })).toEqual([])
  })

  test('LSE-R7 everything that names such a row by a foreign key follows, and nothing else that reads alike', () => {
    const names = newNames([{ ...key('5'), to: '9' }], foreignKeysOf(definition))
    expect(renameKeys(patch, names)).toEqual([
      made(T, { id: '9' }, { up: null, size: '5' }),
      made(T, { id: '6' }, { up: '9', size: '6' }),
      made(DETAIL, { t: '9' }),
      made(LINE, { id: '5' }, { detail: '9' }),
    ])
    const edit: PatchRow = { o: 'u', t: T, a: 'org:a', k: { id: '5' }, d: { up: '7' }, b: { up: { v: null } } }
    const gone: PatchRow = { o: 'd', t: DETAIL, a: 'org:a', k: { t: '5' } }
    expect(renameKeys([edit, gone], names)).toEqual([
      { ...edit, k: { id: '9' } },
      { ...gone, k: { t: '9' } },
    ])
  })
})
