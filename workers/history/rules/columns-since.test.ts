import { expect, test } from 'vitest'
import type { ColumnDefinition, Definition, NamedVersion } from '../../../protocol/index.ts'
import { columnsSince } from './columns-since.ts'

const column = (name: string, type = 'text'): ColumnDefinition => ({ name, type, notNull: false, generated: null })
const definition = (id: string, ...columns: ColumnDefinition[]): Definition => ({
  types: [],
  tables: [
    {
      id,
      schema: 'public',
      name: id,
      columns: [column('id'), ...columns],
      primaryKey: ['id'],
      audience: { constant: 'all' },
      priority: 1,
      uniques: [],
      indexes: [],
      foreignKeys: [],
    },
  ],
})
const version = (of: Definition, ...steps: NamedVersion['steps']): NamedVersion => ({
  definition: of,
  steps,
  names: [],
})
const kept = { name: 'id', from: 'id' }

test('HST-R7 a column is told where it was there under its name, in its type and all the while', () => {
  const was = definition('t', column('title'), column('count', 'integer'), column('left'), column('gone'))
  expect(columnsSince('t', was, [])).toEqual({ untold: [], gone: [] })
  const renamed = definition('t', column('heading'), column('count', 'bigint'), column('left'), column('new'))
  const steps = [
    {
      table: 't',
      from: 't',
      columns: [
        kept,
        { name: 'heading', from: 'title' },
        { name: 'count', from: 'count' },
        { name: 'left', from: 'left' },
      ],
    },
  ]
  const first = version(renamed, ...(steps as unknown as NamedVersion['steps']))
  const told = columnsSince('t', was, [first])
  expect(told).toEqual({
    untold: [
      { column: 'heading', why: 'renamed' },
      { column: 'count', why: 'retyped' },
    ],
    gone: ['gone'],
  })
  // What was hidden for a while is not told of the time before, and neither is another by its name.
  const hiding = version(definition('t', column('title'), column('left')))
  const back = version(definition('t', column('title'), column('left'), column('gone')))
  expect(columnsSince('t', was, [hiding, back])).toEqual({
    untold: [{ column: 'gone', why: 'hidden' }],
    gone: ['count'],
  })
  expect(columnsSince('other', was, [])).toBeNull()
  expect(columnsSince('t', definition('before'), [version(definition('t'))])).toBeNull()
})
