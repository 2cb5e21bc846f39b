import fc from 'fast-check'
import { expect, test } from 'vitest'
import { planTable, type Values } from './table-plan.ts'
import { type HistoryRow, toChanges } from './to-changes.ts'

const column = (name: string) => ({ name, type: 'text', notNull: false, generated: null })
const plan = planTable({
  id: 'public.item',
  schema: 'public',
  name: 'item',
  columns: ['id', 'org', 'note'].map(column),
  primaryKey: ['id'],
  audience: { column: 'org', prefix: 'org' },
  priority: 1,
  uniques: [],
  indexes: [],
  foreignKeys: [],
})

const value = fc.constantFrom('a', 'b', '')
const whole = fc.tuple(fc.constantFrom('1', '2'), fc.option(value, { nil: null }), fc.option(value, { nil: null }))
const changed = fc.tuple(
  fc.constantFrom('1', '2'),
  fc.option(value, { nil: null }),
  fc.option(fc.option(value, { nil: null }), { nil: undefined }),
)

type State = Record<string, Record<string, string | null>>

/** Applies the rows of one audience, as a replica would. */
function apply(state: State, audience: string, rows: HistoryRow[]): State {
  const next = { ...state }
  for (const row of rows.filter((candidate) => candidate.audience === audience)) {
    const key = row.key ?? ''
    if (row.operation === 'delete') delete next[key]
    else next[key] = { ...next[key], ...JSON.parse(row.data ?? '{}') }
  }
  return next
}

const seenBy = (audience: string, values: Values): State =>
  `org:${values[1]}` === audience && values[1] !== null
    ? {
        [JSON.stringify({ id: values[0] })]: { id: values[0] ?? null, org: values[1] ?? null, note: values[2] ?? null },
      }
    : {}

test('CAP-R3 CAP-R4 CAP-R5 whatever an update does, each audience ends with what it may see of the row', () => {
  fc.assert(
    fc.property(whole, changed, (old, update) => {
      const rows = toChanges({ type: 'row', plan, old, new: update })
      const after = update.map((one, position) => (one === undefined ? old[position] : one))
      for (const audience of ['org:a', 'org:b', 'org:']) {
        expect(apply(seenBy(audience, old), audience, rows)).toEqual(seenBy(audience, after))
      }
      if (JSON.stringify(after) === JSON.stringify(old)) expect(rows).toEqual([])
    }),
  )
})

test('CAP-R17 a value the definition promises and the log lacks is a drift', () => {
  const drift = expect.objectContaining({ kind: 'schema-drift' })
  expect(() => toChanges({ type: 'row', plan, old: null, new: ['1', 'a', undefined] })).toThrow(drift)
  expect(() => toChanges({ type: 'row', plan, old: ['1', undefined, undefined], new: null })).toThrow(drift)
  expect(() => toChanges({ type: 'row', plan, old: [], new: ['1', 'a', 'x'] })).toThrow(drift)
})
