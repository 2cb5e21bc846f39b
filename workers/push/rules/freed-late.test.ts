import { describe, expect, test } from 'vitest'
import type { Row, TableDefinition } from '../../../protocol/index.ts'
import type { PatchStep } from './check-patch.ts'
import { concerned, freedLate, freeing, mayExchange } from './freed-late.ts'

const tableOf = (name: string): TableDefinition => ({
  id: `public.${name}`,
  schema: 'public',
  name,
  columns: ['id', 'slug', 'lang', 'title'].map((column) => ({
    name: column,
    type: 'text',
    notNull: false,
    generated: null,
  })),
  primaryKey: ['id'],
  audience: { constant: 'all' },
  write: 'all',
  priority: 1,
  uniques: [],
  indexes: [],
  foreignKeys: [],
})
const page = tableOf('page')
const other = tableOf('other')
const slug = { table: 'public.page', columns: ['slug'] }

function step(op: PatchStep['op'], id: string, d: Row = {}, table = page): PatchStep {
  const columns = table.columns.filter(({ name }) => Object.hasOwn(d, name))
  const named = { t: table.id, a: 'all', k: { id } }
  if (op === 'delete') return { op, table, row: { ...named, o: 'd' }, columns: [] }
  if (op === 'update') return { op, table, row: { ...named, o: 'u', d, b: {} }, columns }
  return { op, table, row: { ...named, o: 'i', d: { id, ...d } }, columns }
}
const update = (id: string, d: Row, table = page) => step('update', id, d, table)
const insert = (id: string, d: Row = {}, table = page) => step('insert', id, d, table)
const remove = (id: string, table = page) => step('delete', id, {}, table)
const move = (id: string, d: Row) => step('move', id, d)

/** The values of each row before, by its key. */
const bases = (rows: Record<string, Row>) => (one: PatchStep) => rows[one.row.k.id ?? ''] ?? {}
const unknown = () => ({})

describe('rows of a patch may exchange a value', () => {
  test.each<[string, PatchStep[], boolean]>([
    ['two updates of one table', [update('1', { slug: 'a' }), update('2', { slug: 'b' })], true],
    ['a delete and an insert', [remove('1'), insert('2')], true],
    ['an insert before a delete', [insert('2'), remove('1')], true],
    ['one update alone, which has nobody to exchange with', [update('1', { slug: 'a' })], false],
    ['two inserts, which leave nothing', [insert('1'), insert('2')], false],
    ['two deletes, which take nothing', [remove('1'), remove('2')], false],
    ['a delete of one table and an insert of another', [remove('1'), insert('2', {}, other)], false],
    ['nothing', [], false],
  ])('PSH-R24 %s', (_, steps, expected) => {
    expect(mayExchange(steps)).toBe(expected)
  })
})

describe('a value that is left too late', () => {
  const late = (steps: PatchStep[], basis: (one: PatchStep) => Row, unique = slug) => freedLate(steps, unique, basis)

  test('FLD-77 PSH-R24 is the second of two that exchange theirs', () => {
    const steps = [update('1', { slug: 'b' }), update('2', { slug: 'a' })]
    expect(late(steps, bases({ 1: { slug: 'a' }, 2: { slug: 'b' } }))).toEqual([1])
  })

  test('FLD-78 PSH-R24 of a ring is the one that the first takes, of a chain each that comes too late', () => {
    const ring = [update('1', { slug: 'b' }), update('2', { slug: 'c' }), update('3', { slug: 'a' })]
    expect(late(ring, bases({ 1: { slug: 'a' }, 2: { slug: 'b' }, 3: { slug: 'c' } }))).toEqual([1, 2])
    const chain = [update('3', { slug: 'd' }), update('2', { slug: 'c' }), update('1', { slug: 'b' })]
    expect(late(chain, bases({ 1: { slug: 'a' }, 2: { slug: 'b' }, 3: { slug: 'c' } }))).toEqual([])
  })

  test('PSH-R24 is none where it is left before it is taken', () => {
    const steps = [update('2', { slug: 'c' }), update('1', { slug: 'b' })]
    expect(late(steps, bases({ 1: { slug: 'a' }, 2: { slug: 'b' } }))).toEqual([])
  })

  test('PSH-R24 may be whatever a delete, a move or an update of unknown basis had', () => {
    expect(late([insert('1', { slug: 'a' }), remove('2')], unknown)).toEqual([1])
    expect(late([insert('1', { slug: 'a' }), move('2', { slug: 'x' })], unknown)).toEqual([1])
    expect(late([insert('1', { slug: 'a' }), update('2', { slug: 'x' })], unknown)).toEqual([1])
  })

  test('PSH-R24 is no matter of updates that leave the columns of the index alone, nor of other tables', () => {
    expect(late([insert('1', { slug: 'a' }), update('2', { title: 'x' })], unknown)).toEqual([])
    expect(late([update('1', { title: 'a' }), remove('2')], unknown)).toEqual([])
    expect(late([insert('1', { slug: 'a' }), remove('2', other)], unknown)).toEqual([])
  })

  test('PSH-R24 FLD-79 of several columns agrees in all that is known; what is not known may agree', () => {
    const pair = { table: 'public.page', columns: ['slug', 'lang'] }
    const steps = [update('1', { slug: 'a' }), update('2', { slug: 'x', lang: 'en' })]
    expect(late(steps, bases({ 2: { slug: 'a', lang: 'de' } }), pair)).toEqual([1])
    expect(late(steps, bases({ 2: { slug: 'b', lang: 'de' } }), pair)).toEqual([])
    const whole = [insert('1', { slug: 'a', lang: 'en' }), update('2', { lang: 'fr' })]
    expect(late(whole, bases({ 2: { lang: 'en' } }), pair)).toEqual([1])
    expect(late(whole, bases({ 2: { lang: 'de' } }), pair)).toEqual([])
  })
})

test('PSH-R24 an index concerns the steps that write its columns, or may leave what they held', () => {
  const steps = [
    update('1', { title: 'x' }),
    update('2', { slug: 'x' }),
    insert('3'),
    insert('4', { slug: 'y' }),
    remove('5'),
    move('6', {}),
    remove('7', other),
  ]
  expect(concerned(steps, slug)).toEqual([1, 3, 4, 5])
  expect(freeing(steps, slug)).toEqual([1, 4, 5])
})
