import { describe, expect, test } from 'vitest'
import type { Row } from '../../../protocol/index.ts'
import type { ForeignKey } from '../../store/rules/foreign-keys.ts'
import { type NetRow, orderRows, type Unique } from './order-rows.ts'

const TREE: ForeignKey = {
  table: 'node',
  columns: ['up'],
  parent: 'node',
  parentColumns: ['id'],
  onDelete: null,
  onUpdate: null,
}
const IN: ForeignKey = {
  table: 'leaf',
  columns: ['node'],
  parent: 'node',
  parentColumns: ['id'],
  onDelete: null,
  onUpdate: null,
}
const SLUG: Unique = { table: 'node', columns: ['slug', 'lang'] }

/** A row that comes, changes or goes. */
function net(table: string, before: Row | null, after: Row | null): NetRow {
  const named = { t: table, a: 'all', k: { id: (before ?? after)?.id ?? null } }
  if (before && after) return { row: { o: 'u', ...named, d: after, b: {} }, before, after }
  if (after) return { row: { o: 'i', ...named, d: after }, before, after }
  return { row: { o: 'd', ...named }, before, after }
}
const order = (rows: NetRow[], keys: ForeignKey[] = [TREE, IN], uniques: Unique[] = [SLUG]) =>
  orderRows(rows, keys, uniques).map(({ o, t, k }) => `${o} ${t} ${k.id}`)

const node = (id: string, more: Row = {}): Row => ({ id, up: null, slug: null, lang: 'en', ...more })

describe('rows come in an order that constraints allow', () => {
  test('RBS-R1 parents before the children that are made of them, over several steps and tables', () => {
    const rows = [
      net('leaf', null, { id: 'l', node: 'c' }),
      net('node', null, node('c', { up: 'b' })),
      net('node', null, node('b', { up: 'a' })),
      net('node', null, node('a')),
    ]
    expect(order(rows)).toEqual(['i node a', 'i node b', 'i node c', 'i leaf l'])
  })

  test('RBS-R1 children that go, or refer elsewhere, before the parent that goes', () => {
    const rows = [
      net('node', node('a'), null),
      net('node', node('b', { up: 'a' }), null),
      net('leaf', { id: 'l', node: 'a' }, { id: 'l', node: null }),
    ]
    expect(order(rows)).toEqual(['d node b', 'u leaf l', 'd node a'])
  })

  test('RBS-R1 a freed value before who takes it, by a delete or an update, of all columns together', () => {
    const taken = { slug: 's' }
    expect(order([net('node', null, node('2', taken)), net('node', node('1', taken), null)])).toEqual([
      'd node 1',
      'i node 2',
    ])
    expect(
      order([net('node', node('2'), node('2', taken)), net('node', node('1', taken), node('1', { slug: 'x' }))]),
    ).toEqual(['u node 1', 'u node 2'])
    expect(
      order([net('node', null, node('2', { slug: 's', lang: 'de' })), net('node', node('1', taken), null)]),
    ).toEqual(['i node 2', 'd node 1'])
  })
})

describe('rows keep their order', () => {
  test('RBS-R1 where no constraint asks for another', () => {
    const rows = ['3', '1', '2'].map((id) => net('node', null, node(id)))
    expect(order(rows)).toEqual(['i node 3', 'i node 1', 'i node 2'])
    expect(order([])).toEqual([])
  })

  test('RBS-R1 where a value is NULL, which nobody takes and which refers to nothing', () => {
    const rows = [net('node', null, node('2')), net('node', node('1'), null)]
    expect(order(rows)).toEqual(['i node 2', 'd node 1'])
  })

  test('RBS-R1 where a row keeps the value that it has', () => {
    const kept = node('1', { slug: 's' })
    const rows = [
      net('node', kept, { ...kept, up: 'x' }),
      net('node', node('2', { slug: 't' }), node('2', { slug: 'u' })),
    ]
    expect(order(rows)).toEqual(['u node 1', 'u node 2'])
  })

  test('RBS-R1 a row that refers to itself waits for nobody', () => {
    expect(order([net('node', null, node('a', { up: 'a' }))])).toEqual(['i node a'])
  })
})

describe('of rows that wait for each other', () => {
  test('RBS-R1 each is there once, and what waits for none of them still comes where it must', () => {
    const rows = [
      net('node', null, node('a', { up: 'b' })),
      net('node', null, node('b', { up: 'a' })),
      net('leaf', null, { id: 'l', node: 'a' }),
    ]
    const ordered = order(rows)
    expect(ordered.toSorted()).toEqual(['i leaf l', 'i node a', 'i node b'])
    expect(ordered.indexOf('i leaf l')).toBe(2)
  })

  test('FLD-77 PSH-R24 two that exchange a value are both there', () => {
    const [one, two] = [node('1', { slug: 's' }), node('2', { slug: 't' })]
    const rows = [net('node', one, { ...one, slug: 't' }), net('node', two, { ...two, slug: 's' })]
    expect(order(rows).toSorted()).toEqual(['u node 1', 'u node 2'])
  })

  test('RBS-R1 a chain as long as a mutation may be is ordered', () => {
    const rows = Array.from({ length: 2_000 }, (_, at) =>
      net('node', null, node(`${at}`, { up: at === 1_999 ? null : `${at + 1}` })),
    )
    const ordered = order(rows)
    expect(ordered[0]).toBe('i node 1999')
    expect(ordered.at(-1)).toBe('i node 0')
  })
})
