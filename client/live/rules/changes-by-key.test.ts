import { describe, expect, it } from 'vitest'
import { changesByKey, type MadeResult } from './changes-by-key.ts'

function made(...rows: readonly (readonly [id: number, title: string | null])[]): MadeResult {
  return {
    raw: {
      fields: [
        { name: 'id', dataTypeID: 23 },
        { name: 'title', dataTypeID: 25 },
      ],
      rows: rows.map(([id, title]) => [String(id), title]),
    },
    rows: rows.map(([id, title]) => ({ id, title })),
  }
}

describe('changes by key', () => {
  it('inserts all rows of a first result, each after the one before', () => {
    expect(changesByKey(null, made([1, 'a'], [2, null]), 'id')).toEqual([
      { __op__: 'INSERT', __after__: null, __changed_columns__: [], id: 1, title: 'a' },
      { __op__: 'INSERT', __after__: 1, __changed_columns__: [], id: 2, title: null },
    ])
  })

  it('tells what came, went, changed and moved', () => {
    const changes = changesByKey(made([1, 'a'], [2, 'b'], [3, 'c']), made([3, 'c'], [2, 'x'], [4, 'd']), 'id')
    expect(changes).toEqual([
      { __op__: 'INSERT', __after__: 2, __changed_columns__: [], id: 4, title: 'd' },
      { __op__: 'DELETE', __after__: null, __changed_columns__: [], id: 1, title: null },
      { __op__: 'UPDATE', __after__: null, __changed_columns__: ['__after__'], id: 3, title: null },
      { __op__: 'UPDATE', __after__: 3, __changed_columns__: ['title', '__after__'], id: 2, title: 'x' },
    ])
    expect(changesByKey(made([1, 'a']), made([1, 'a']), 'id')).toEqual([])
  })

  it('begins anew where the columns are others, and refuses a key that is none', () => {
    const other = { raw: { fields: [{ name: 'id', dataTypeID: 20 }], rows: [['1']] }, rows: [{ id: 1 }] }
    expect(changesByKey(made([1, 'a']), other, 'id')).toMatchObject([{ __op__: 'RESET' }, { __op__: 'INSERT', id: 1 }])
    expect(() => changesByKey(null, made(), 'key')).toThrow(/no column key/)
  })
})
