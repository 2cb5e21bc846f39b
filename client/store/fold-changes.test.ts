import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Row } from '../../protocol/index.ts'
import { column, defineTable, NOTES } from '../../testing/replica/definitions.ts'
import { foldChanges, type ReplicaChange } from './fold-changes.ts'
import { replicaTables } from './replica-table.ts'

const tables = replicaTables(NOTES, 'live')
const table = 'public.note'
const audience = 'org:a'
const insert = (id: string, row: Row = {}): ReplicaChange => ({ op: 'insert', table, audience, data: { id, ...row } })
const update = (id: string, row: Row): ReplicaChange => ({ op: 'update', table, audience, key: { id }, data: row })
const remove = (id: string): ReplicaChange => ({ op: 'delete', table, audience, key: { id } })
const truncate: ReplicaChange = { op: 'truncate', table, audiences: null }

const fold = (...changes: ReplicaChange[]) =>
  (foldChanges(changes, tables).get(table) ?? []).map(({ truncate, nets }) => ({
    truncate,
    nets: Object.fromEntries(nets),
  }))

/** The rule, done one change at a time on a map of rows; null where the order is impossible. */
function replay(rows: Map<string, Row>, changes: readonly ReplicaChange[]): Map<string, Row> | null {
  for (const change of changes) {
    if (change.op === 'truncate') {
      rows.clear()
      continue
    }
    const id = (change.op === 'insert' ? change.data.id : change.key.id) ?? ''
    if (rows.has(id) === (change.op === 'insert')) return null
    if (change.op === 'delete') rows.delete(id)
    else rows.set(id, { ...rows.get(id), ...change.data })
  }
  return rows
}

function applyFolded(rows: Map<string, Row>, changes: readonly ReplicaChange[]): Map<string, Row> | null {
  for (const stage of foldChanges(changes, tables).get(table) ?? []) {
    if (stage.truncate) rows.clear()
    for (const [id, net] of stage.nets) {
      if (net.kind === 'gone' && !rows.has(id)) continue
      if (net.kind === 'gone') return null
      if (rows.has(id) === (net.kind === 'insert')) return null
      if (net.kind === 'delete') rows.delete(id)
      else rows.set(id, net.kind === 'update' ? { ...rows.get(id), ...net.row } : net.row)
    }
  }
  return rows
}

function faults(run: () => unknown): boolean {
  try {
    return run() === null
  } catch {
    return true
  }
}

describe('foldChanges', () => {
  test('APP-R16 merges what happens to one row', () => {
    expect(fold(insert('1', { title: 'a' }), update('1', { title: 'b' }))).toEqual([
      { truncate: null, nets: { 1: { kind: 'insert', row: { id: '1', title: 'b' } } } },
    ])
    expect(fold(update('1', { title: 'a' }), update('1', { rank: null }))).toEqual([
      { truncate: null, nets: { 1: { kind: 'update', key: { id: '1' }, row: { title: 'a', rank: null } } } },
    ])
    expect(fold(insert('1'), remove('1'))).toEqual([
      { truncate: null, nets: { 1: { kind: 'gone', key: { id: '1' } } } },
    ])
    expect(fold(remove('1'), insert('1', { title: 'a' }), update('1', { rank: '2' }))).toEqual([
      { truncate: null, nets: { 1: { kind: 'replace', key: { id: '1' }, row: { id: '1', title: 'a', rank: '2' } } } },
    ])
    expect(fold(update('1', { title: 'a' }), truncate, insert('2'))).toEqual([
      { truncate: 'everyone', nets: { 2: { kind: 'insert', row: { id: '2' } } } },
    ])
    expect(fold(update('1', { title: 'a' }), { ...truncate, audiences: [audience] }, insert('2'))).toHaveLength(2)
  })

  test('APP-03 orders that no history has are faults', () => {
    const impossible = [
      [insert('1'), insert('1')],
      [update('1', {}), insert('1')],
      [remove('1'), update('1', {})],
      [remove('1'), remove('1')],
      [insert('1'), remove('1'), remove('1')],
      [remove('1'), insert('1'), insert('1')],
      [update('1', { id: null }), remove('unknown'), update('unknown', {})],
    ]
    for (const changes of impossible) expect(() => fold(...changes)).toThrow('impossible order')
    expect(() => fold({ op: 'delete', table: 'public.other', audience, key: { id: '1' } })).toThrow('does not have')
    expect(() => fold(insert('1', { id: null }))).toThrow('whole key')
  })

  test('APP-R16 folding leaves what applying one after another leaves, and faults where that does', () => {
    const change = fc.oneof(
      {
        weight: 3,
        arbitrary: fc.tuple(fc.constantFrom('1', '2', '3'), fc.string()).map(([id, title]) => insert(id, { title })),
      },
      {
        weight: 3,
        arbitrary: fc
          .tuple(fc.constantFrom('1', '2', '3'), fc.dictionary(fc.constantFrom('title', 'rank'), fc.string()))
          .map(([id, row]) => update(id, row)),
      },
      { weight: 3, arbitrary: fc.constantFrom('1', '2', '3').map(remove) },
      { weight: 1, arbitrary: fc.constant(truncate) },
    )
    const old = () => new Map<string, Row>([['1', { id: '1', title: 'old' }]])
    fc.assert(
      fc.property(fc.array(change, { maxLength: 12 }), (changes) => {
        const expected = replay(old(), changes)
        if (expected === null) {
          // Before a truncate nothing is checked any more.
          if (!changes.includes(truncate)) expect(faults(() => applyFolded(old(), changes))).toBe(true)
          return
        }
        expect(applyFolded(old(), changes)).toEqual(expected)
      }),
      { numRuns: 2_000 },
    )
  })

  test('keys of several columns are told apart', () => {
    const pair = defineTable('pair', [column('a'), column('b'), column('org')], { primaryKey: ['a', 'b'] })
    const folded = foldChanges(
      [
        { op: 'delete', table: pair.id, audience, key: { a: '1', b: '2,3' } },
        { op: 'delete', table: pair.id, audience, key: { a: '1,2', b: '3' } },
      ],
      replicaTables({ types: [], tables: [pair] }, 'live'),
    )
    expect(folded.get(pair.id)?.[0]?.nets.size).toBe(2)
  })
})
