import { describe, expect, it } from 'vitest'
import { asLsn, type Definition } from '../../protocol/index.ts'
import { type EventOptions, planEvents } from './events.ts'
import type { HistoryRow, ModelState } from './history-model.ts'
import { seededRandom } from './random.ts'
import { examine, type ReplicaSample } from './samples.ts'
import { planWorkload } from './workload.ts'

const column = (name: string) => ({ name, type: 'text', notNull: false, generated: null })
const definition: Definition = {
  types: [],
  tables: [
    {
      id: 'public.t',
      schema: 'public',
      name: 't',
      columns: [column('id'), column('org'), column('v')],
      primaryKey: ['id'],
      audience: { column: 'org', prefix: 'org' },
      priority: 1,
      uniques: [],
      indexes: [],
      foreignKeys: [],
    },
  ],
}
const lsn = (number: number) => asLsn(number.toString(16).padStart(16, '0'))
const base: ModelState = new Map([['public.t', new Map([['["a"]', { id: 'a', org: '1', v: 'old' }]])]])

const change = (at: number, seq: number, operation: string, rest: Partial<HistoryRow>): HistoryRow => ({
  lsn: lsn(at),
  seq,
  xid: String(700 + at),
  table: 'public.t',
  operation,
  rowKey: { id: 'a' },
  data: null,
  oldData: null,
  audience: 'org:1',
  ...rest,
})
const update = change(1, 0, 'update', { data: { v: 'new' }, oldData: { v: 'old' } })
const move = [
  change(2, 0, 'delete', { oldData: { id: 'a', org: '1', v: 'new' } }),
  change(2, 1, 'insert', { data: { id: 'a', org: '2', v: 'new' }, audience: 'org:2' }),
]
const history = [update, ...move]

const sample = (at: number, audience: string, lines: string[]): ReplicaSample => ({
  replica: 'r',
  audiences: [audience],
  epoch: 'e',
  cursor: lsn(at),
  lines: new Map([['public.t', lines]]),
  moment: 'then',
})
const examined = (replicaSamples: ReplicaSample[], told = history) =>
  examine({ definition, base, history: told, replicaSamples, postgresSamples: [] })

describe('the checker finds what is wrong', () => {
  it('ORA-02 accepts each replica at its own commit, and nothing before it', () => {
    const faults = examined([
      sample(0, 'org:1', ['["a","1","old"]']),
      sample(1, 'org:1', ['["a","1","new"]']),
      sample(2, 'org:1', []),
      sample(2, 'org:2', ['["a","2","new"]']),
    ])
    expect(faults).toEqual([])
    expect(examined([sample(1, 'org:1', ['["a","1","old"]'])]).join()).toMatch(/0\/1.*not what was committed/)
    expect(examined([sample(2, 'org:2', [])]).join()).toMatch(/missing \["a","2","new"\]/)
    expect(examined([sample(1, 'org:2', ['["a","1","new"]'])]).join()).toMatch(/surplus/)
  })

  it('ORA-02 notices a cursor that goes back', () => {
    const faults = examined([sample(1, 'org:1', ['["a","1","new"]']), sample(0, 'org:1', ['["a","1","old"]'])])
    expect(faults.join()).toMatch(/went back from 0\/1 to 0\/0/)
  })

  it.each([
    ['a lost change', [...move], /claims old v "new", it was "old"/],
    ['a doubled change', [update, { ...update, lsn: lsn(2) }], /claims old v "old", it was "new"/],
    ['a gap in seq', [update, ...move.map((part) => ({ ...part, seq: part.seq + 1 }))], /seq 1 where 0 was due/],
    ['a foreign audience', [{ ...update, audience: 'org:2' }], /another audience than its row/],
    ['old values that undo nothing', [{ ...update, oldData: {} }], /do not undo/],
    ['an incomplete insert', [update, move[0], { ...move[1], data: { id: 'a', org: '2' } }], /lacks v/],
  ] as [string, HistoryRow[], RegExp][])('HIS-09 notices %s in history', (_, told, message) => {
    expect(examined([], told).join('\n')).toMatch(message)
  })

  it('ORA-02 plans the same run from the same seed, and another from another', () => {
    const eventOptions: EventOptions = { stages: 6, replicas: 4, firstLate: 3, faults: true }
    const plan = (seed: string) => ({
      workload: planWorkload(seededRandom(seed), { transactions: 50, bulkRows: 10, numbers: true }),
      events: planEvents(seededRandom(seed), eventOptions),
    })
    expect(plan('one')).toEqual(plan('one'))
    expect(plan('one')).not.toEqual(plan('two'))
  })
})
