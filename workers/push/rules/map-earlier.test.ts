import { expect, test } from 'vitest'
import { type Convert, namesOfVersion } from '../../../protocol/index.ts'
import { column, defineTable } from '../../../testing/replica/definitions.ts'
import type { Earlier } from './earlier.ts'
import { mapEarlier } from './map-earlier.ts'

const renamed = namesOfVersion({
  definition: { types: [], tables: [defineTable('memo', [column('id'), column('label')])] },
  steps: [
    {
      table: 'public.memo',
      from: 'public.note',
      columns: [
        { name: 'id', from: 'id' },
        { name: 'label', from: 'title' },
      ],
    },
  ],
  names: [],
})
const asItIs: Convert = (_, value) => value
const k = { id: '1' }
const earlier: Earlier = {
  counter: 3,
  status: 'committed',
  predicted: [
    { o: 'u', t: 'public.note', a: 'all', k, d: { title: 'x', gone: 'y' } },
    { o: 'd', t: 'public.other', a: 'all', k },
  ],
  effects: [
    { t: 'public.note', k, d: { title: 'X' } },
    { t: 'public.note', k, d: { gone: 'Y' } },
  ],
}

test('PSH-R28 what a mutation left is said in new names, and of dropped columns nothing is left', () => {
  expect(mapEarlier(earlier, renamed, asItIs)).toEqual({
    counter: 3,
    status: 'committed',
    predicted: [
      { o: 'u', t: 'public.memo', a: 'all', k, d: { label: 'x' } },
      { o: 'd', t: 'public.other', a: 'all', k },
    ],
    effects: [{ t: 'public.memo', k, d: { label: 'X' } }],
  })
})

test('PSH-R28 what was not kept stays so', () => {
  expect(mapEarlier({ ...earlier, predicted: null, effects: null }, renamed, asItIs)).toMatchObject({
    predicted: null,
    effects: null,
  })
})

test('PSH-R29 of what cannot be said in a next type nothing is known, and the rest is', () => {
  const retyped = namesOfVersion({
    definition: { types: [], tables: [] },
    steps: [],
    names: [
      {
        table: 'public.note',
        from: 'public.note',
        columns: [
          { name: 'id', from: 'id' },
          { name: 'title', from: 'title', retyped: null },
          { name: 'gone', from: 'gone' },
        ],
      },
    ],
  })
  expect(mapEarlier(earlier, retyped, (conversion, value) => (conversion === null ? undefined : value))).toMatchObject({
    predicted: [{ d: { gone: 'y' } }, { o: 'd' }],
    effects: [{ d: { gone: 'Y' } }],
  })
})
