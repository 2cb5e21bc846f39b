import { describe, expect, it } from 'vitest'
import type { Definition, TableDefinition } from '../../protocol/index.ts'
import { leaf, shape, shapeColumn } from '../../testing/postgres/shapes.ts'
import { column, defineTable } from '../../testing/replica/definitions.ts'
import { deriveSteps, type StepFacts } from './derive-steps.ts'
import type { LeafShape, TableShape } from './table-shape.ts'

const definition = (...tables: TableDefinition[]): Definition => ({ types: [], tables })
const none: ReadonlySet<string> = new Set()

const OLD = [column('id'), column('org'), column('title')]
const NEW = [column('id'), column('org'), column('name'), column('more')]
const OLD_SHAPE = [shapeColumn(1, 'id'), shapeColumn(2, 'org'), shapeColumn(4, 'title'), shapeColumn(5, 'secret')]
const NEW_SHAPE = [
  shapeColumn(1, 'id'),
  shapeColumn(2, 'org'),
  shapeColumn(4, 'name'),
  shapeColumn(5, 'secret'),
  shapeColumn(6, 'more'),
]
const dated = (name: string, columns: typeof NEW, more: Partial<TableDefinition> = {}) =>
  defineTable(name, columns, { since: 7, ...more })
const shapes = (id: string, of: TableShape) => new Map([[id, of]])

/** Table `note` becomes `page`, its `title` becomes `name`, and `more` joins with a value. */
const BASE: StepFacts = {
  version: 7,
  before: definition(defineTable('note', OLD)),
  after: definition(dated('page', NEW)),
  earlier: shapes('public.note', shape(OLD_SHAPE)),
  now: shapes('public.page', shape(NEW_SHAPE)),
  unplaced: none,
  written: none,
  filled: new Set(['100']),
  unused: new Map(),
  missing: new Map([['100', new Map([['more', 'x']])]]),
}
const carried = (name: string, from = name) => ({ name, from })
const FULL = [carried('id'), carried('org'), carried('name', 'title'), { name: 'more', from: null, value: 'x' }]
const columnsOf = (facts: StepFacts) => {
  const [step, ...others] = deriveSteps(facts)
  expect(others).toEqual([])
  return step ? step.columns : null
}
/** The base with another shape of the table, now and earlier. */
const shaped = (now: Partial<TableShape>, earlier: Partial<TableShape> = {}): StepFacts => ({
  ...BASE,
  now: shapes('public.page', shape(NEW_SHAPE, now)),
  earlier: shapes('public.note', shape(OLD_SHAPE, earlier)),
})
/** The base with another look of the column that is carried from `title` to `name`. */
const looked = (
  now: Partial<TableShape['columns'][number]>,
  earlier: Partial<TableShape['columns'][number]> = {},
  defined: object = {},
  before: object = {},
) => ({
  ...BASE,
  before: definition(
    defineTable('note', [column('id'), column('org'), column('title', earlier.type ?? 'text', before)]),
  ),
  after: definition(
    dated('page', [column('id'), column('org'), column('name', now.type ?? 'text', defined), column('more')]),
  ),
  now: shapes('public.page', shape(NEW_SHAPE.map((one) => (one.number === 4 ? { ...one, ...now } : one)))),
  earlier: shapes('public.note', shape(OLD_SHAPE.map((one) => (one.number === 4 ? { ...one, ...earlier } : one)))),
})

describe('the steps of a version', () => {
  it('SCH-R1 SCH-R4 a table is found by its relation, a column by its number', () => {
    expect(deriveSteps(BASE)).toEqual([{ table: 'public.page', from: 'public.note', columns: FULL }])
  })

  it('SCH-R1 a table that is as it was has none', () => {
    expect(deriveSteps({ ...BASE, after: definition(dated('page', NEW, { since: 6 })) })).toEqual([])
  })

  const doubts: [title: string, facts: StepFacts][] = [
    ['its shape is not known', { ...BASE, now: new Map() }],
    ['it was in doubt before', { ...BASE, earlier: new Map() }],
    ['it was altered at an unknown place', { ...BASE, unplaced: new Set(['public.page']) }],
    ['rows of it were written', { ...BASE, written: new Set(['100']) }],
    ['its file is another', shaped({ file: '101' })],
    ['it is another relation', { ...shaped({ relation: '101' }), filled: new Set(['101']) }],
    ['the key is of another column', { ...BASE, after: definition(dated('page', NEW, { primaryKey: ['name'] })) }],
    ['the key has one more column', { ...BASE, after: definition(dated('page', NEW, { primaryKey: ['id', 'more'] })) }],
    [
      'the audience is of another column',
      { ...BASE, after: definition(dated('page', NEW, { audience: { column: 'name', prefix: 'org' } })) },
    ],
    [
      'the audience is of an added column',
      { ...BASE, after: definition(dated('page', NEW, { audience: { column: 'more', prefix: 'org' } })) },
    ],
    [
      'the audience has another prefix',
      { ...BASE, after: definition(dated('page', NEW, { audience: { column: 'org', prefix: 'team' } })) },
    ],
    ['the audience is everyone', { ...BASE, after: definition(dated('page', NEW, { audience: { constant: 'all' } })) }],
    ['a column shows that was hidden', { ...BASE, after: definition(dated('page', [...NEW, column('secret')])) }],
    [
      'the value of an added column cannot be told',
      { ...BASE, missing: new Map([['100', new Map([['more', null]])]]) },
    ],
    [
      'an added column is generated',
      shaped({ columns: NEW_SHAPE.map((one) => (one.number === 6 ? { ...one, generated: 'x' } : one)) }),
    ],
    ['a type prints otherwise', looked({ type: 'timestamp without time zone' }, { type: 'timestamp with time zone' })],
    ['a column is generated no more', looked({}, { generated: 'lower(id)' }, {}, { generated: 'lower(id)' })],
    [
      'a column travels that was generated here',
      looked({ generated: 'f(id)' }, { generated: 'f(id)' }, { serverGenerated: true }, { generated: 'f(id)' }),
    ],
    [
      'a label is renamed',
      looked({ type: 'e', labels: ['b'], labelsMade: '2' }, { type: 'e', labels: ['a'], labelsMade: '1' }),
    ],
    [
      'a label is gone',
      looked({ type: 'e', labels: ['a'], labelsMade: '1' }, { type: 'e', labels: ['a', 'b'], labelsMade: '1 1' }),
    ],
    [
      'a label was given to another',
      looked({ type: 'e', labels: ['b', 'a'], labelsMade: '2 2' }, { type: 'e', labels: ['a'], labelsMade: '1' }),
    ],
    [
      'labels change places',
      looked(
        { type: 'e', labels: ['b', 'a'], labelsMade: '1 1' },
        { type: 'e', labels: ['a', 'b'], labelsMade: '1 1' },
      ),
    ],
    ['a domain has another base', looked({ type: 'd', base: 'integer' }, { type: 'd', base: 'bigint' })],
  ]
  it.each(doubts)('SCH-R2 SCH-R3 SCH-R4 SCH-R5 none where %s', (_title, facts) => {
    expect(deriveSteps(facts)).toEqual([])
  })

  const fine: [title: string, facts: StepFacts][] = [
    [
      'other tables are written or unplaced',
      { ...BASE, written: new Set(['101']), unplaced: new Set(['public.note']) },
    ],
    [
      'key and audience are renamed with their columns',
      {
        ...BASE,
        ...looked({}),
        before: definition(
          defineTable('note', OLD, { primaryKey: ['title'], audience: { column: 'title', prefix: 'o' } }),
        ),
        after: definition(dated('page', NEW, { primaryKey: ['name'], audience: { column: 'name', prefix: 'o' } })),
      },
    ],
    ['a varchar becomes text', looked({}, { type: 'character varying(3)' })],
    [
      'labels join',
      looked(
        { type: 'e', labels: ['x', 'a', 'y', 'b'], labelsMade: '2 1 2 1' },
        { type: 'e', labels: ['a', 'b'], labelsMade: '1 1' },
      ),
    ],
    [
      'the enum is renamed',
      looked({ type: 'e', labels: ['a'], labelsMade: '1' }, { type: 'f', labels: ['a'], labelsMade: '1' }),
    ],
    ['a domain becomes its base', looked({ type: 'integer' }, { type: 'd', base: 'integer' })],
    [
      'a generated column names a renamed one',
      looked(
        { generated: 'lower(b)' },
        { generated: 'lower(a)' },
        { generated: 'lower(b)' },
        { generated: 'lower(a)' },
      ),
    ],
    [
      'the value of a generated column travels still',
      looked({ generated: 'f(b)' }, { generated: 'f(a)' }, { serverGenerated: true }, { serverGenerated: true }),
    ],
  ]
  it.each(fine)('SCH-R1 SCH-R3 SCH-R5 one where %s', (_title, facts) => {
    expect(columnsOf(facts)).toEqual(FULL)
  })

  it('SCH-R5 another expression of a generated column, with no column renamed, is in doubt', () => {
    const same = (expression: string) => [
      column('id'),
      column('org'),
      column('title', 'text', { generated: expression }),
    ]
    const kept = OLD_SHAPE.map((one) => (one.number === 4 ? { ...one, generated: 'x' } : one))
    const facts = (now: string): StepFacts => ({
      ...BASE,
      before: definition(defineTable('note', same('lower(id)'))),
      after: definition(dated('note', same(now))),
      earlier: shapes('public.note', shape(kept)),
      now: shapes('public.note', shape(kept)),
    })
    expect(deriveSteps(facts('upper(id)'))).toEqual([])
    expect(deriveSteps(facts('lower(id)'))).toHaveLength(1)
  })

  it('SCH-R5 a type that joins is fine; one that is another by the same name needs to be known', () => {
    const state = (labels: string) => ({
      schema: 'public',
      name: 'state',
      statement: `CREATE TYPE public.state AS ENUM (${labels})`,
    })
    const more = { type: 'public.state', labels: ['a', 'b'], labelsMade: '1 2' }
    const facts: StepFacts = {
      ...BASE,
      after: {
        types: [state(`'a', 'b'`)],
        tables: [dated('page', [...NEW.slice(0, 3), column('more', 'public.state')])],
      },
      now: shapes('public.page', shape(NEW_SHAPE.map((one) => (one.number === 6 ? { ...one, ...more } : one)))),
    }
    expect(columnsOf(facts)).toEqual(FULL)
    const known = { ...facts, before: { ...BASE.before, types: [state(`'a'`)] } }
    expect(deriveSteps(known)).toEqual([])
    const other = (labels: string[], labelsMade: string) =>
      new Map([
        ...BASE.earlier,
        ['public.other', shape([shapeColumn(1, 'state', { ...more, labels, labelsMade })], { relation: '200' })],
      ])
    expect(columnsOf({ ...known, earlier: other(['a'], '1') })).toEqual(FULL)
    expect(deriveSteps({ ...known, earlier: other(['a'], '0') })).toEqual([])
  })

  describe('SCH-R3 SCH-R4 of a partitioned table', () => {
    const rooted = (now: LeafShape[], missing: Record<string, string | null> = { 1: 'x', 2: 'x' }): StepFacts => ({
      ...shaped({ kind: 'p', file: '0', leaves: now }, { kind: 'p', file: '0', leaves: [leaf('1'), leaf('2')] }),
      missing: new Map(Object.entries(missing).map(([relation, value]) => [relation, new Map([['more', value]])])),
    })
    const both = [leaf('1'), leaf('2')]
    it.each([
      ['as it was', rooted(both)],
      ['with a new, empty partition', rooted([...both, leaf('3', { empty: true })])],
      ['with an empty one attached', rooted([...both, leaf('3', { born: false, empty: true, file: '9' })])],
    ])('one where it is %s', (_title, facts) => {
      expect(columnsOf(facts)).toEqual(FULL)
    })
    it.each([
      ['a partition is gone', rooted([leaf('1')])],
      ['a partition has another file', rooted([leaf('1'), leaf('2', { file: '9' })])],
      ['a new one has rows', rooted([...both, leaf('3')])],
      ['a new one was truncated', rooted([...both, leaf('3', { empty: true, file: '9' })])],
      ['rows of a partition were written', { ...rooted(both), written: new Set(['2']) }],
      ['its partitions have different values', rooted(both, { 1: 'x', 2: 'y' })],
      ['one partition has no value', rooted(both, { 1: 'x' })],
    ])('none where %s', (_title, facts) => {
      expect(deriveSteps(facts)).toEqual([])
    })
  })

  describe('SCH-R6 of a table that joins', () => {
    const joining: StepFacts = { ...BASE, before: definition(), earlier: new Map(), filled: none }
    it('one from nothing where it is empty', () => {
      expect(deriveSteps(joining)).toEqual([{ table: 'public.page', from: null, columns: [] }])
    })
    it.each([
      ['its file is not empty', { ...joining, filled: new Set(['100']) }],
      [
        'a partition is not empty',
        {
          ...joining,
          now: shapes('public.page', shape(NEW_SHAPE, { kind: 'p', leaves: [leaf('1')] })),
          filled: new Set(['1']),
        },
      ],
      ['rows of it were written', { ...joining, written: new Set(['100']) }],
      ['a table of its name was there', { ...joining, before: definition(defineTable('page', OLD)) }],
    ])('none where %s', (_title, facts) => {
      expect(deriveSteps(facts)).toEqual([])
    })
  })
})
