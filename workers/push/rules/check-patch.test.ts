import { expect, test } from 'vitest'
import type { Definition, PatchRow } from '../../../protocol/index.ts'
import { checkPatch } from './check-patch.ts'

const plain = { notNull: false, generated: null }
const definition = {
  types: [],
  tables: [
    {
      id: 'public.page',
      schema: 'public',
      name: 'page',
      columns: [
        { ...plain, name: 'id', type: 'text', notNull: true },
        { ...plain, name: 'body', type: 'text' },
        { ...plain, name: 'low', type: 'text', serverGenerated: true, serverDefault: true },
      ],
      primaryKey: ['id'],
      audience: { constant: 'all' },
      write: 'all',
      priority: 1,
      uniques: [],
      indexes: [],
      foreignKeys: [],
      since: 1,
    },
  ],
} satisfies Definition

const row = { t: 'public.page', a: 'all', k: { id: '1' } }
const check = (patch: PatchRow) => checkPatch([patch], definition, ['all'])
const forbidden = expect.objectContaining({ rejection: expect.objectContaining({ kind: 'forbidden' }) })

test('FLD-55 VAL-R4 PSH-R4 what the server generates is left to it by an insert, and writing it is forbidden', () => {
  const [step] = check({ ...row, o: 'i', d: { id: '1', body: 'x', low: null }, z: ['low'] })
  expect(step?.columns.map(({ name }) => name)).toEqual(['id', 'body'])
  expect(() => check({ ...row, o: 'i', d: { id: '1', body: 'x', low: null } })).toThrow(forbidden)
  expect(() => check({ ...row, o: 'i', d: { id: '1', body: 'x', low: 'y' } })).toThrow(forbidden)
  expect(() => check({ ...row, o: 'u', d: { low: 'y' }, b: { low: { v: null } } })).toThrow(forbidden)
})
