import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Change, parsePgSnapshot, type Row, type Transaction } from '../../protocol/index.ts'
import { NOTES } from '../../testing/replica/definitions.ts'
import { at } from '../../testing/replica/scripted-server.ts'
import type { AudienceJoin } from '../store/copies.ts'
import { replicaTables } from '../store/replica-table.ts'
import { compareSnapshots, isInSnapshot, type Presence, unseenChanges } from './unseen-changes.ts'

const tables = replicaTables(NOTES, 'live')
const table = 'public.note'

const join = (audience: string, start: number, fence: number, snapshot: string): AudienceJoin => ({
  audience,
  start: at(start),
  fence: at(fence),
  snapshot: parsePgSnapshot(snapshot),
})

describe('isShown', () => {
  test('SNP-21 APP-R2 visibility decides between start and fence only', () => {
    const one = join('org:a', 0x10, 0x20, '728:728:')
    expect(isInSnapshot(one, { lsn: at(0x10), xid: '999' })).toBe(true)
    expect(isInSnapshot(one, { lsn: at(0x18), xid: '727' })).toBe(true)
    expect(isInSnapshot(one, { lsn: at(0x18), xid: '728' })).toBe(false)
    expect(isInSnapshot(one, { lsn: at(0x20), xid: '727' })).toBe(true)
    expect(isInSnapshot(one, { lsn: at(0x21), xid: '727' })).toBe(false)
  })

  test('of two snapshots the one that shows more is later', () => {
    const order = ['10:10:', '10:12:10', '11:12:', '12:14:12,13', '12:14:13', '4294967300:4294967301:'].map(
      parsePgSnapshot,
    )
    expect([...order].reverse().sort(compareSnapshots)).toEqual(order)
  })
})

const AUDIENCES = ['org:a', 'org:b', 'org:c'] as const
const UNSEEN = 'org:z'

/** A history of one table: rows come, change, move between audiences and go; each transaction commits at its own place. */
interface Step {
  readonly id: string
  readonly to: string | null
  readonly rank: string
}

interface World {
  readonly transactions: Transaction[]
  /** The rows after each transaction; index 0 is before the first. */
  readonly states: ReadonlyMap<string, Row>[]
}

function history(steps: readonly Step[]): World {
  let rows = new Map<string, Row>()
  const states: ReadonlyMap<string, Row>[] = [rows]
  const transactions: Transaction[] = []
  for (const [index, { id, to, rank }] of steps.entries()) {
    const before = rows.get(id)
    const changes: Change[] = []
    const data: Row | null = to === null ? null : { id, org: to.slice(4), title: null, rank }
    const from = before ? `org:${before.org}` : null
    if (from !== null && from === to) changes.push({ op: 'update', table, audience: from, key: { id }, data: { rank } })
    else {
      if (from !== null) changes.push({ op: 'delete', table, audience: from, key: { id } })
      if (to !== null && data) changes.push({ op: 'insert', table, audience: to, data })
    }
    rows = new Map(rows)
    if (data) rows.set(id, data)
    else rows.delete(id)
    states.push(rows)
    const seen = changes.filter(({ audience }) => audience !== UNSEEN)
    transactions.push({ lsn: at(index + 1), xid: String(100 + index), committedAt: '', changes: seen })
  }
  return { transactions, states }
}

const rowsOf = (state: ReadonlyMap<string, Row>, audiences: readonly string[]) =>
  new Map([...state].filter(([, row]) => audiences.includes(`org:${row.org}`)))

describe('unseenChanges', () => {
  test('SNP-10 APP-R4 snapshots of several moments and the stream between them make the rows of the last fence', () => {
    const step = fc.record({
      id: fc.constantFrom('1', '2', '3'),
      to: fc.constantFrom(...AUDIENCES, UNSEEN, null),
      rank: fc.nat(99).map(String),
    })
    fc.assert(
      fc.property(
        fc.array(step, { minLength: 1, maxLength: 14 }),
        fc.array(fc.nat(), { minLength: 3, maxLength: 3 }),
        fc.nat(3),
        (steps, moments, early) => {
          const { transactions, states } = history(steps)
          const taken = AUDIENCES.map((audience, index) => ({
            audience,
            moment: (moments[index] ?? 0) % states.length,
          }))
          taken.sort((a, b) => a.moment - b.moment)
          const joins = new Map(
            taken.map(({ audience, moment }) => {
              // A snapshot after `moment` transactions shows exactly those; its start may lie lower.
              const start = Math.max(0, moment - early)
              return [audience, join(audience, start, moment, `${100 + moment}:${100 + moment}:`)]
            }),
          )
          const held = new Map<string, Row>()
          for (const { audience, moment } of taken) {
            for (const [id, row] of rowsOf(states[moment] ?? new Map(), [audience])) held.set(id, row)
          }
          const first = Math.min(...[...joins.values()].map(({ start }) => Number.parseInt(start, 16)))
          const last = Math.max(...taken.map(({ moment }) => moment))
          const window = transactions.slice(first, last)
          const presence = new Map<string, Presence>([
            [table, new Map([...held].map(([id, row]) => [id, `org:${row.org}`]))],
          ])
          for (const change of unseenChanges(window, joins, tables, presence)) {
            if (change.op === 'insert') held.set(change.data.id ?? '', change.data)
            if (change.op === 'update')
              held.set(change.key.id ?? '', { ...held.get(change.key.id ?? ''), ...change.data })
            if (change.op === 'delete') held.delete(change.key.id ?? '')
          }
          expect(held).toEqual(rowsOf(states[last] ?? new Map(), AUDIENCES))
        },
      ),
      { numRuns: 5_000 },
    )
  })

  test('APP-03 a missing row that no snapshot explains is a fault in the window too', () => {
    const joins = new Map([
      ['org:a', join('org:a', 1, 9, '100:100:')],
      ['org:b', join('org:b', 1, 9, '100:100:')],
    ])
    const change: Change = { op: 'update', table, audience: 'org:a', key: { id: '1' }, data: { rank: '2' } }
    const transaction: Transaction = { lsn: at(5), xid: '105', committedAt: '', changes: [change] }
    const run = (presence: Presence) => [...unseenChanges([transaction], joins, tables, new Map([[table, presence]]))]
    expect(() => run(new Map())).toThrow('lacks a row')
    expect(() => run(new Map([['1', 'org:b']]))).toThrow('no snapshot explains')
    expect(run(new Map([['1', 'org:a']]))).toEqual([change])
  })

  test('a truncate empties, per audience, what its snapshot has not seen truncated', () => {
    const joins = new Map([
      ['org:a', join('org:a', 1, 9, '106:106:')],
      ['org:b', join('org:b', 1, 9, '105:105:')],
    ])
    const transaction: Transaction = {
      lsn: at(5),
      xid: '105',
      committedAt: '',
      changes: [{ op: 'truncate', table, audience: null }],
    }
    const presence: Presence = new Map([
      ['1', 'org:a'],
      ['2', 'org:b'],
    ])
    expect([...unseenChanges([transaction], joins, tables, new Map([[table, presence]]))]).toEqual([
      { op: 'truncate', table, audiences: ['org:b'] },
    ])
    expect([...presence.keys()]).toEqual(['1'])
  })
})
