import { describe, expect, it } from 'vitest'
import type { DefinitionInForce } from '../../protocol/index.ts'
import { leaf, shape, shapeColumn } from '../../testing/postgres/shapes.ts'
import { column, defineTable } from '../../testing/replica/definitions.ts'
import type { StepFacts } from './derive-steps.ts'
import { isAlone, proposeSteps } from './propose-steps.ts'
import type { TableShape } from './table-shape.ts'

const ID = 'public.note'
const OLD = [shapeColumn(1, 'id'), shapeColumn(2, 'title')]
const NEW = [shapeColumn(1, 'id'), shapeColumn(2, 'name')]
const facts = (earlier: TableShape, now: TableShape, from: object = {}, to: object = {}): StepFacts => {
  const named = ({ columns }: TableShape, more: object) =>
    defineTable(
      'note',
      columns.map(({ name, type }) => column(name, type, name === 'id' ? {} : more)),
      { since: 7, audience: { constant: 'all' } },
    )
  return {
    version: 7,
    before: { types: [], tables: [named(earlier, from)] },
    after: { types: [], tables: [named(now, to)] },
    earlier: new Map([[ID, earlier]]),
    now: new Map([[ID, now]]),
    unplaced: new Set([ID]),
    written: new Set(['100']),
    filled: new Set(['100']),
    unused: new Map(),
    missing: new Map(),
  }
}
const propose = (...of: Parameters<typeof facts>) => proposeSteps(facts(...of), new Set([ID]))

describe('steps for tables that others altered', () => {
  it('SCH-R12 say how the log tells rows before and after', () => {
    const told = (names: string[]) => names.map((name) => ({ name, type: 'text', isGenerated: false }))
    expect(propose(shape(OLD), shape(NEW))).toMatchObject([
      {
        relation: '100',
        step: { table: ID, from: ID },
        before: told(['id', 'title']),
        after: told(['id', 'name']),
        isLooser: false,
      },
    ])
    expect(proposeSteps(facts(shape(OLD), shape(NEW)), new Set())).toEqual([])
  })

  it.each([
    ['an earlier build compared it', shape(OLD, { width: null }), shape(NEW)],
    ['nobody knows when it was compared', shape(OLD, { seenAt: null }), shape(NEW)],
    ['it was rewritten', shape(OLD), shape(NEW, { file: '200' })],
    ['a column came and went', shape(OLD), shape(NEW, { width: 3 })],
    ['its identity is another', shape(OLD, { identity: 'd' }), shape(NEW)],
    [
      'it has a partition more',
      shape(OLD, { kind: 'p', leaves: [] }),
      shape(NEW, { kind: 'p', leaves: [leaf('200', { empty: true })] }),
    ],
    [
      'a column of the same length came for one that went',
      shape(OLD),
      shape([shapeColumn(1, 'id'), shapeColumn(3, 'name')]),
    ],
  ])('SCH-R12 are none where %s', (_, earlier, now) => {
    expect(propose(earlier, now)).toEqual([])
  })

  it('SCH-R12 a column of another length may come for one that went', () => {
    const now = shape([shapeColumn(1, 'id'), shapeColumn(3, 'count', { type: 'integer', length: 4 })])
    expect(propose(shape(OLD), now)).toHaveLength(1)
  })

  it('SCH-R12 say where rows may hold more than before though they look alike', () => {
    expect(propose(shape(OLD), shape(NEW), { notNull: true }, { notNull: false })).toMatchObject([{ isLooser: true }])
    const labelled = (labels: string[]) =>
      shape([
        shapeColumn(1, 'id'),
        shapeColumn(2, 'title', { type: 'state', labels, labelsMade: labels.map(() => '1').join(' ') }),
      ])
    expect(propose(labelled(['a']), labelled(['a', 'b']))).toMatchObject([{ isLooser: true }])
  })

  it('CAP-R52 a version that changes anything else does not come in force earlier than it was stored', () => {
    const other = defineTable('other', [column('id')], { since: 3 })
    const note = defineTable('note', [column('id')], { since: 7 })
    const version = (...tables: (typeof other)[]): DefinitionInForce => {
      return { version: 6, hash: '', definition: { types: [], tables }, watched: [] }
    }
    const proposed = propose(shape(OLD), shape(NEW))
    const is = (before: DefinitionInForce, after: DefinitionInForce) =>
      isAlone(before, { ...after, watched: [], keysOnly: [] }, proposed)
    expect(is(version(other, note), version(other, note))).toBe(true)
    expect(is(version(other, note), version({ ...other, priority: 5 }, note))).toBe(false)
    expect(is(version(other, note), version(note))).toBe(false)
    expect(is(version(note), version(other, note))).toBe(false)
    expect(
      is({ ...version(other, note), watched: [{ id: 'x', schema: 'x', name: 'x', user: null }] }, version(other, note)),
    ).toBe(false)
  })
})
