import { expect, test } from 'vitest'
import type { ColumnDefinition, Row } from '../../../protocol/index.ts'
import { planRestore } from './plan-restore.ts'

const column = (name: string, more: Partial<ColumnDefinition> = {}): ColumnDefinition => ({
  name,
  type: 'text',
  notNull: false,
  generated: null,
  ...more,
})
const columns = [
  column('id'),
  column('title'),
  column('state'),
  column('version'),
  column('sum', { serverGenerated: true }),
]
const table = {
  id: 'public.t',
  columns,
  key: columns.slice(0, 1),
}
const row = (title: string, more: Row = {}): Row => ({ id: '1', title, state: 'open', version: '1', sum: 's', ...more })
const past = (of: Row | null, ...untold: string[]) => ({
  row: of,
  untold: untold.map((name) => ({ column: name, why: 'renamed' as const })),
  stamps: ['version'],
})
const now = row('now', { state: 'done', version: '7', sum: 'z' })

test('HST-R8 a restore writes what differs and may be written, and leaves what the server counts', () => {
  const plan = planRestore(table, past(row('then')), now, {})
  expect(plan).toMatchObject({ refused: null, step: { key: { id: '1' }, from: now, columns: ['title', 'state'] } })
  const columnsOf = (options: object) => {
    const { step } = planRestore(table, past(row('then')), now, options) as { step: { columns: string[] } | null }
    return step?.columns ?? null
  }
  expect(columnsOf({ columns: ['state', 'version'] })).toEqual(['state', 'version'])
  expect(columnsOf({ except: ['title'] })).toEqual(['state'])
  expect(columnsOf({ except: ['title', 'state'] })).toBeNull()
  expect(planRestore(table, past(now), now, {})).toMatchObject({ refused: null, step: null })
})

test('HST-R8 HST-R10 a row that is gone comes back whole, and columns that cannot be told are refused unless they are left out', () => {
  const { title: _, ...untitled } = row('then')
  expect(planRestore(table, past(row('then')), null, {})).toMatchObject({
    step: {
      from: null,
      to: { id: '1', title: 'then', state: 'open', version: '1' },
      columns: ['id', 'title', 'state', 'version'],
    },
    open: [],
  })
  expect(planRestore(table, past(null), now, {})).toEqual({ refused: 'absent' })
  for (const current of [now, null])
    expect(planRestore(table, past(untitled, 'title'), current, {})).toEqual({ refused: 'columns', columns: ['title'] })
  expect(planRestore(table, past(untitled, 'title'), now, { columns: ['state'] })).toMatchObject({ refused: null })
  expect(planRestore(table, past(untitled, 'title'), null, { except: ['title'] })).toMatchObject({ open: ['title'] })
})
