import { describe, expect, test } from 'vitest'
import type { ColumnDefinition, Definition, TableDefinition, TableStep } from '../../protocol/index.ts'
import { breaksBundles } from './breaks-bundles.ts'

const column = (name: string, more: Partial<ColumnDefinition> = {}): ColumnDefinition => ({
  name,
  type: 'text',
  notNull: false,
  generated: null,
  ...more,
})

const table = (columns: readonly ColumnDefinition[], more: Partial<TableDefinition> = {}): TableDefinition => ({
  id: 'public.note',
  schema: 'public',
  name: 'note',
  columns: [column('id', { notNull: true }), ...columns],
  primaryKey: ['id'],
  audience: { constant: 'all' },
  write: 'all',
  priority: 100,
  uniques: [],
  indexes: [],
  foreignKeys: [],
  ...more,
})

const state = (...labels: readonly string[]) => ({
  schema: 'public',
  name: 'state',
  statement: `CREATE TYPE public.state AS ENUM (${labels.map((label) => `'${label}'`).join(', ')})`,
})

const of = (columns: readonly ColumnDefinition[], more: Partial<TableDefinition> = {}): Definition => ({
  types: [],
  tables: [table(columns, more)],
})

const step = (columns: TableStep['columns'], from = 'public.note'): TableStep => ({
  table: 'public.note',
  from,
  columns,
})

describe('MIG-12 MIG-R7 what breaks with code that was written before', () => {
  test.each<[string, Definition, Definition, readonly TableStep[], boolean]>([
    ['nothing changed', of([column('a')]), of([column('a')]), [], false],
    ['a column more', of([]), of([column('a')]), [], false],
    ['a column more that must be given', of([]), of([column('a', { notNull: true })]), [], true],
    ['a column more with a default', of([]), of([column('a', { notNull: true, default: `''` })]), [], false],
    [
      'a column more that the server fills',
      of([]),
      of([column('a', { notNull: true, serverDefault: true })]),
      [],
      false,
    ],
    [
      'a column more that must be given, of a table that nobody writes here',
      { types: [], tables: [{ ...table([]), write: undefined } as unknown as TableDefinition] },
      {
        types: [],
        tables: [{ ...table([column('a', { notNull: true })]), write: undefined } as unknown as TableDefinition],
      },
      [],
      false,
    ],
    ['a column less', of([column('a')]), of([]), [], true],
    ['NOT NULL without a default', of([column('a')]), of([column('a', { notNull: true })]), [], true],
    ['another type', of([column('a', { type: 'integer' })]), of([column('a', { type: 'bigint' })]), [], true],
    [
      'another length',
      of([column('a', { type: 'character varying(10)' })]),
      of([column('a', { type: 'character varying(20)' })]),
      [],
      false,
    ],
    [
      'another precision',
      of([column('a', { type: 'numeric(10,2)' })]),
      of([column('a', { type: 'numeric(12,4)' })]),
      [],
      false,
    ],
    [
      'two columns exchanged',
      of([column('a'), column('b')]),
      of([column('a'), column('b')]),
      [
        step([
          { name: 'a', from: 'b' },
          { name: 'b', from: 'a' },
        ]),
      ],
      true,
    ],
    ['a table that took the name of another', of([]), of([]), [step([], 'public.other')], true],
    [
      'a policy, a priority, an audience',
      of([]),
      of([], { priority: 1, audience: { column: 'id', prefix: 'x' } }),
      [],
      false,
    ],
    ['a table less', of([]), { types: [], tables: [] }, [], true],
    ['a label more', { ...of([]), types: [state('a')] }, { ...of([]), types: [state('a', 'b')] }, [], false],
    ['a label less', { ...of([]), types: [state('a', 'b')] }, { ...of([]), types: [state('a')] }, [], true],
  ])('%s', (_, before, definition, steps, expected) => {
    expect(breaksBundles(before, [{ definition, steps }])).toBe(expected)
  })
})
