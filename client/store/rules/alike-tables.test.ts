import { expect, test } from 'vitest'
import type { Definition, TableDefinition } from '../../../protocol/index.ts'
import { column, defineTable } from '../../../testing/replica/definitions.ts'
import { isAlike } from './alike-tables.ts'

const types = (...labels: string[]): Definition['types'] => [
  { schema: 'public', name: 'state', statement: `CREATE TYPE state AS ENUM (${labels.join()})` },
]
const table = defineTable('note', [column('id'), column('state', 'public.state')])
const alike = (other: TableDefinition, others = types('a')) => isAlike(table, types('a'), other, others)

test('HYD-R6 a table is alike whatever its name, rights, defaults, indexes and constraints', () => {
  const indexes = [{ name: 'i', statement: 'CREATE INDEX i ON note (id)' }]
  expect(alike({ ...table, name: 'other', write: 'all', priority: 1, indexes })).toBe(true)
  const filled = column('state', 'public.state', { default: `'a'`, serverDefault: true })
  expect(alike({ ...table, columns: [column('id'), filled] })).toBe(true)
})

test('HYD-R6 it is another by its columns, its key, and the types that its columns have', () => {
  expect(alike({ ...table, columns: [column('id'), column('state', 'text')] })).toBe(false)
  expect(alike({ ...table, columns: [...table.columns, column('more')] })).toBe(false)
  expect(alike({ ...table, primaryKey: ['state'] })).toBe(false)
  expect(alike(table, types('a', 'b'))).toBe(false)
  const unused = { schema: 'public', name: 'mood', statement: 'CREATE TYPE mood AS ENUM ()' }
  expect(alike(table, [...types('a'), unused])).toBe(true)
})
