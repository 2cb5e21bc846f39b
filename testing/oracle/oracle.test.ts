import { describe, expect, it } from 'vitest'
import { asLsn, type DefinitionInForce } from '../../protocol/index.ts'
import { type EventOptions, planEvents } from './events.ts'
import { examine, examineRights } from './examine.ts'
import type { HistoryRow, ModelState } from './history-model.ts'
import { seededRandom } from './random.ts'
import type { ReplicaSample } from './samples.ts'
import { planWorkload } from './workload.ts'

const column = (name: string) => ({ name, type: 'text', notNull: false, generated: null })
const tables: DefinitionInForce['definition'] = {
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
const definition: DefinitionInForce = { version: 1, hash: 'h', definition: tables }
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
const eventOptions: EventOptions = { stages: 6, replicas: 4, orgs: 4, firstLate: 3, faults: true }

const sample = (at: number, audience: string, lines: string[]): ReplicaSample => ({
  replica: 'r',
  audiences: [audience],
  epoch: 'e',
  version: 1,
  cursor: lsn(at),
  lines: new Map([['public.t', lines]]),
  touched: new Map(),
  moment: 'then',
  takenMs: at,
})
const examined = (replicaSamples: ReplicaSample[], told = history) =>
  examine({ start: { definition, base }, changes: new Map(), history: told, replicaSamples, postgresSamples: [] })

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

  describe('of a definition that changes', () => {
    const row = (v: string) => ({ id: 'a', org: '1', v })
    const rows = (t: string, other: string): ModelState =>
      new Map([
        ['public.t', new Map([['["a"]', row(t)]])],
        ['public.other', new Map([['["a"]', row(other)]])],
      ])
    const both = (version: number): DefinitionInForce['definition'] => ({
      types: [],
      tables: tables.tables.flatMap((table) => [
        { ...table, since: version },
        { ...table, id: 'public.other', name: 'other', since: 1 },
      ]),
    })
    const set = (at: number, table: string, v: string, old: string) =>
      change(at, 0, 'update', { table, data: { v }, oldData: { v: old } })
    const told = [
      update,
      set(2, 'public.other', 'new', 'old'),
      { ...change(3, 0, 'definition', { data: { version: '2', hash: 'h' } }), audience: null },
      set(4, 'public.other', 'newer', 'new'),
      set(5, 'public.t', 'newer', 'new'),
    ]
    const line = (v: string) => [`["a","1","${v}"]`]
    const shows = (at: number, version: number, t: string, others: string): ReplicaSample => ({
      ...sample(at, 'org:1', []),
      version,
      lines: new Map([
        ['public.t', line(t)],
        ['public.other', line(others)],
      ]),
    })
    const found = (samples: ReplicaSample[], { met = 'new', beforeMs = 0 } = {}) =>
      examine({
        start: { definition: { ...definition, definition: both(1) }, base: rows('old', 'old') },
        changes: new Map([
          [
            2,
            {
              definition: { version: 2, hash: 'h', definition: both(2) },
              state: rows(met, 'new'),
              adopted: false,
              beforeMs,
            },
          ],
        ]),
        history: told,
        replicaSamples: samples,
        postgresSamples: [],
      }).join('\n')

    it('ORA-02 accepts it from its commit on, and notices one that meets other rows', () => {
      expect(found([shows(2, 1, 'new', 'new'), shows(3, 2, 'new', 'new'), shows(5, 2, 'newer', 'newer')])).toBe('')
      expect(found([shows(2, 2, 'new', 'new')])).toMatch(/by definition 2 where 1 is in force/)
      expect(found([], { met: 'old' })).toMatch(/meets other rows/)
    })

    it('ORA-02 HYD-R6 accepts tables that stand at one commit until they join, and no other table that does', () => {
      const standing = [shows(2, 1, 'old', 'new'), shows(3, 1, 'old', 'new'), shows(4, 1, 'old', 'newer')]
      expect(found([...standing, shows(5, 2, 'newer', 'newer')])).toBe('')
      expect(found([shows(4, 1, 'new', 'newer')])).toBe('')
      expect(found([shows(4, 1, 'new', 'new')])).toMatch(/public.other is not what was committed/)
      expect(found([shows(5, 2, 'new', 'newer')])).toMatch(/public.t is not what was committed/)
    })

    it('ORA-02 HYD-R6 notices tables that move before they join, that go back, or that never were so', () => {
      expect(found([shows(2, 1, 'old', 'new'), shows(4, 1, 'new', 'newer')])).toMatch(/public.t is not/)
      expect(found([shows(1, 1, 'new', 'old'), shows(4, 1, 'old', 'newer')])).toMatch(/public.t is not/)
      expect(found([shows(4, 1, 'other', 'newer')])).toMatch(/public.t is not/)
      // A replica on the earlier definition shows nothing that was committed under the later one.
      expect(found([shows(5, 1, 'newer', 'newer')])).toMatch(/public.t is not/)
    })

    it('ORA-02 HYD-R6 notices tables that stand before there is a later definition', () => {
      expect(found([shows(2, 1, 'old', 'new')], { beforeMs: 10 })).toMatch(/public.t is not what was committed/)
      expect(found([shows(4, 1, 'new', 'newer')], { beforeMs: 10 })).toMatch(/by definition 1 where 2 is in force/)
    })
  })

  it('ORA-01 notices what is shown beyond the commit that took the right to it', () => {
    const event = (at: number, granted: boolean) => ({ replica: 'r', audience: 'org:1', granted, lsn: lsn(at) })
    const shown = (at: number, ...events: ReturnType<typeof event>[]) =>
      examineRights(events, [sample(at, 'org:1', [])])
    expect(shown(2, event(1, true), event(3, false))).toEqual([])
    expect(shown(2, event(3, true))).toEqual([])
    expect(shown(3, event(1, true), event(3, false)).join()).toMatch(/shows org:1 without a right/)
    expect(shown(3, event(1, true), event(3, false), event(4, true))).toEqual([])
  })

  it('ORA-01 plans every kind of fault, and never sends everyone away', () => {
    for (const seed of ['one', 'two', 'three']) {
      const stages = planEvents(seededRandom(seed), { ...eventOptions, stages: 12 })
      const kinds = new Set(stages.flat().map(({ kind }) => kind))
      for (const kind of ['dropSlot', 'redefine', 'prune', 'joinOrLeave', 'killPostgres', 'killWorkerd', 'evict'])
        expect(kinds).toContain(kind)
      const away = new Set<number>()
      for (const event of stages.flat()) {
        if (!('replica' in event) || event.replica >= eventOptions.firstLate) continue
        if (event.kind === 'offline' || event.kind === 'stall') away.add(event.replica)
        if (event.kind === 'online' || event.kind === 'flow' || event.kind === 'reopen') away.delete(event.replica)
        expect(away.size).toBeLessThan(eventOptions.firstLate)
      }
    }
  })

  it('ORA-02 plans the same run from the same seed, and another from another', () => {
    const plan = (seed: string) => ({
      workload: planWorkload(seededRandom(seed), { transactions: 50, bulkRows: 10, numbers: true }),
      events: planEvents(seededRandom(seed), eventOptions),
    })
    expect(plan('one')).toEqual(plan('one'))
    expect(plan('one')).not.toEqual(plan('two'))
  })
})
