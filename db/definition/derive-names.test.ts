import { expect, it } from 'vitest'
import type { Definition, TableDefinition } from '../../protocol/index.ts'
import { shape, shapeColumn } from '../../testing/postgres/shapes.ts'
import { column, defineTable } from '../../testing/replica/definitions.ts'
import { deriveNames, type NameFacts } from './derive-names.ts'
import type { TableShape } from './table-shape.ts'

const definition = (...tables: TableDefinition[]): Definition => ({ types: [], tables })
const shapes = (id: string, of: TableShape) => new Map([[id, of]])
const enumColumn = (number: number, name: string, labels: string[], labelsMade: string) => ({
  ...shapeColumn(number, name),
  type: 'public.state',
  labels,
  labelsMade,
})

/** Table `note` becomes `page`, its `title` becomes `name`, `more` joins, and its rows are loaded. */
const BASE: NameFacts = {
  version: 7,
  before: definition(defineTable('note', [column('id'), column('title'), column('state')])),
  after: definition(defineTable('page', [column('id'), column('name'), column('more'), column('state')], { since: 7 })),
  earlier: shapes(
    'public.note',
    shape([shapeColumn(1, 'id'), shapeColumn(2, 'title'), enumColumn(3, 'state', ['a', 'b'], '5 5')]),
  ),
  now: shapes(
    'public.page',
    shape([
      shapeColumn(1, 'id'),
      shapeColumn(2, 'name'),
      enumColumn(3, 'state', ['a', 'c'], '5 9'),
      shapeColumn(4, 'more'),
    ]),
  ),
  missing: new Map([['100', new Map([['more', 'x']])]]),
  followed: null,
  found: new Map(),
}

it('SCH-R9 a table that is loaded is followed by its relation, its columns by their numbers, labels by their places', () => {
  expect(deriveNames(BASE, [])).toEqual([
    {
      table: 'public.page',
      from: 'public.note',
      columns: [
        { name: 'id', from: 'id' },
        { name: 'name', from: 'title' },
        { name: 'more', from: null, value: 'x' },
        { name: 'state', from: 'state', labels: { b: 'c' } },
      ],
    },
  ])
})

const cents = { column: 'rank', from: 'integer', to: 'bigint', expression: '(rank * 100)' }
const rank = { ...shapeColumn(2, 'rank'), type: 'integer', made: '5' }
/** `rank` was altered, and its table rewritten. */
const RETYPED: NameFacts = {
  ...BASE,
  before: definition(defineTable('note', [column('id'), column('rank')])),
  after: definition(defineTable('note', [column('id'), column('rank')], { since: 7 })),
  earlier: shapes('public.note', shape([shapeColumn(1, 'id'), rank], { file: '1' })),
  now: shapes('public.note', shape([shapeColumn(1, 'id'), { ...rank, type: 'bigint' }], { file: '2' })),
}
/** The table of the same type, whose column was found made by this transaction, before rights were given anew. */
const sameType = (made: string, file: string): NameFacts => {
  const found = shapes('public.note', shape([shapeColumn(1, 'id'), { ...rank, made }], { file }))
  return {
    ...RETYPED,
    now: shapes('public.note', shape([shapeColumn(1, 'id'), { ...rank, made: '9' }], { file })),
    found,
  }
}
const retypedOf = (facts: NameFacts) => deriveNames(facts, [])[0]?.columns.at(-1)
const lookedAt = (stages: (typeof cents)[] | null) => ({
  tables: RETYPED.earlier,
  retyped: new Map([['100', new Map([[2, stages]])]]),
})

it('SCH-R13 a column that statements gave another type says by which expressions, where they were looked at', () => {
  expect(retypedOf({ ...RETYPED, followed: lookedAt([cents]) })).toMatchObject({ retyped: [cents] })
  expect(retypedOf({ ...RETYPED, followed: lookedAt(null) })).toMatchObject({ retyped: null })
  const none = { tables: RETYPED.earlier, retyped: new Map() }
  expect(deriveNames({ ...RETYPED, followed: none }, [])).toEqual([])
})

it('SCH-R13 where nobody looked, another type and a rewritten column mean that nobody knows', () => {
  const unknown = { name: 'rank', from: 'rank', retyped: null }
  expect(retypedOf(RETYPED)).toEqual(unknown)
  expect(retypedOf({ ...RETYPED, followed: { tables: new Map(), retyped: new Map() } })).toEqual(unknown)
  expect(retypedOf(sameType('9', '2'))).toEqual(unknown)
  expect(deriveNames(sameType('5', '2'), [])).toEqual([])
  expect(deriveNames(sameType('9', '1'), [])).toEqual([])
})

const enumNow = (labels: string[], made: string) => ({
  ...BASE,
  now: shapes('public.page', shape([shapeColumn(1, 'id'), enumColumn(3, 'state', labels, made)])),
})
const labelsOf = (facts: NameFacts) => deriveNames(facts, [])[0]?.columns.at(-1)?.labels
it('SCH-R9 labels of an enum that may be another, or that joined, are not followed', () => {
  expect(labelsOf(enumNow(['a', 'c'], '5 9'))).toEqual({ b: 'c' })
  expect(labelsOf(enumNow(['a', 'c'], '9 9'))).toBeUndefined()
  expect(labelsOf(enumNow(['c', 'd'], '9 9'))).toBeUndefined()
  expect(labelsOf(enumNow(['a', 'b', 'c'], '5 5 9'))).toBeUndefined()
})

it.each([
  ['has a step', BASE, [{ table: 'public.page', from: 'public.note', columns: [] }]],
  ['is another relation', { ...BASE, now: shapes('public.page', shape([], { relation: '101' })) }, []],
  ['was never compared', { ...BASE, earlier: new Map() }, []],
  ['is of an earlier version', { ...BASE, version: 8 }, []],
] as const)('SCH-R9 a table that %s has no names', (_title, facts, steps) => {
  expect(
    deriveNames(
      facts,
      [...steps].map((one) => ({ ...one, columns: [] })),
    ),
  ).toEqual([])
})

it('SCH-R9 nor has one whose names are what they were', () => {
  const same = definition(defineTable('note', [column('id'), column('title')], { since: 7 }))
  const of = shape([shapeColumn(1, 'id'), shapeColumn(2, 'title')])
  const facts = {
    ...BASE,
    before: same,
    after: same,
    earlier: shapes('public.note', of),
    now: shapes('public.note', of),
  }
  expect(deriveNames(facts, [])).toEqual([])
})
