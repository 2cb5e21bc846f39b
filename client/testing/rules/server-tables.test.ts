import { expect, it } from 'vitest'
import { sync as pathSync } from '../../../testing/audiences/path-app.ts'
import { itemId, todoSync } from '../../../testing/replica/todo-sync.ts'
import { conflictPolicies, refusalOf } from './decide-mutation.ts'
import { definitionOfSync } from './definition-of-sync.ts'
import { ServerTables } from './server-tables.ts'

const ITEM = 'public.item'
const made = { now: () => '2026-11-30 18:00:00+00', uuid: () => itemId(9) }
const audience = 'org:a'

const tablesWith = (...rows: Record<string, string | null>[]) => {
  const tables = new ServerTables(definitionOfSync(todoSync), [audience, 'org:b'], made)
  for (const row of rows) tables.upsert(ITEM, { org: 'a', title: 'it', ...row })
  return tables
}

it('fills a new row, updates a known one by what differs, and moves one between audiences', () => {
  const tables = tablesWith()
  const [inserted] = tables.upsert(ITEM, { org: 'a', title: 'it' })
  expect(inserted).toMatchObject({ o: 'i', a: audience, d: { id: itemId(9), number: '1', created_at: made.now() } })
  const key = { id: itemId(9) }
  expect(tables.upsert(ITEM, { ...key, title: 'new' })).toEqual([
    { o: 'u', t: ITEM, a: audience, k: key, d: { title: 'new' } },
  ])
  const moved = tables.upsert(ITEM, { ...key, org: 'b' })
  expect(moved.map((change) => change.o !== 't' && [change.o, change.a])).toEqual([
    ['d', audience],
    ['i', 'org:b'],
  ])
  expect(tables.delete(ITEM, key)).toEqual([{ o: 'd', t: ITEM, a: 'org:b', k: key }])
  expect(tables.delete(ITEM, key)).toEqual([])
})

it('refuses what a server would: a taken key, a missing row, a changed column, what falls with another', () => {
  const tables = tablesWith({ id: itemId(1), title: 'theirs' })
  const base = { counter: 2, at: '2026-11-30T18:00:00Z', after: [], kind: 'patch' as const }
  const key = { id: itemId(1) }
  const row = { t: ITEM, a: audience, k: key }
  const refused = (rows: Parameters<typeof refusalOf>[0], rejected: number[] = []) =>
    refusalOf(rows, tables, conflictPolicies(todoSync), new Set(rejected))?.kind ?? null
  const update = { ...row, o: 'u' as const, d: { title: 'mine' }, b: { title: { v: 'it' } } }
  expect(refused({ ...base, rows: [{ ...row, o: 'i', d: key }] })).toBe('constraint')
  expect(refused({ ...base, rows: [update] })).toBe('conflict')
  expect(refused({ ...base, rows: [{ ...update, d: { title: 'theirs' } }] })).toBeNull()
  expect(refused({ ...base, rows: [{ ...update, b: { title: { m: 1 } } }] })).toBeNull()
  expect(refused({ ...base, rows: [{ ...update, k: { id: itemId(2) } }] })).toBe('missing-row')
  expect(refused({ ...base, after: [1], rows: [{ ...row, o: 'd' }] }, [1])).toBe('dependency')
  expect(refused({ ...base, rows: [{ ...row, o: 'd' }] })).toBeNull()
})

it('AUD-R6 gives rows the audience of their parent, and moves them with it', () => {
  const tables = new ServerTables(definitionOfSync(pathSync), ['org:a', 'org:b'], made)
  tables.upsert('public.project', { id: '1', org: 'a', name: 'A' })
  tables.upsert('public.issue', { id: '11', project_id: '1' })
  const [inserted] = tables.upsert('public.comment', { id: '111', issue_id: '11' })
  expect(inserted).toMatchObject({ a: 'org:a', d: { tidemark_audience: 'a' } })
  const moved = tables.upsert('public.project', { id: '1', org: 'b' })
  expect(moved.map((change) => change.o !== 't' && [change.o, change.t, change.a])).toEqual(
    ['public.project', 'public.issue', 'public.comment'].flatMap((table) => [
      ['d', table, 'org:a'],
      ['i', table, 'org:b'],
    ]),
  )
})
