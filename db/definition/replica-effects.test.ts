import { expect, test } from 'vitest'
import type { DefinitionInForce, TableDefinition, TableStep } from '../../protocol/index.ts'
import { replicaEffects } from './replica-effects.ts'

const table = (name: string, since: number): TableDefinition => ({
  id: `public.${name}`,
  schema: 'public',
  name,
  columns: [],
  primaryKey: ['id'],
  audience: { constant: 'all' },
  priority: 1,
  uniques: [],
  indexes: [],
  foreignKeys: [],
  since,
})
const version = (number: number, tables: TableDefinition[], steps: TableStep[] = []): DefinitionInForce => ({
  version: number,
  hash: '',
  definition: { types: [], tables },
  steps,
})
const step = (name: string, from: string | null): TableStep => ({
  table: `public.${name}`,
  from: from && `public.${from}`,
  columns: [],
})
const kinds = (...args: Parameters<typeof replicaEffects>) =>
  replicaEffects(...args).map((effect) => [effect.table, effect.before, effect.kind])

test('CLI-R24 a table is told by its step, a kept one not at all', () => {
  const before = version(1, [table('kept', 1), table('carried', 1), table('other', 1), table('gone', 1)])
  const tables = [table('kept', 1), table('carried', 2), table('other', 2), table('new', 2), table('filled', 2)]
  expect(kinds(before, [version(2, tables, [step('carried', 'carried'), step('new', null)])])).toEqual([
    ['public.carried', 'public.carried', 'changed in place'],
    ['public.other', 'public.other', 'loaded'],
    ['public.new', null, 'made empty'],
    ['public.filled', null, 'loaded'],
    ['public.gone', 'public.gone', 'dropped'],
  ])
})

test('CLI-R24 several versions are told as one way: a load is one load, and names are followed', () => {
  const before = version(1, [table('a', 1), table('b', 1)])
  const second = version(2, [table('renamed', 2), table('b', 2)], [step('renamed', 'a')])
  const third = version(3, [table('renamed', 3), table('b', 3)], [step('renamed', 'renamed'), step('b', 'b')])
  expect(kinds(before, [second, third])).toEqual([
    ['public.renamed', 'public.a', 'changed in place'],
    ['public.b', 'public.b', 'loaded'],
  ])
  expect(kinds(before, [])).toEqual([])
})

test('CLI-R24 a step that the log decides on is told as one, and so is what follows it', () => {
  const before = version(1, [table('a', 1), table('b', 1)])
  const proposed = { relation: '1', seenAt: '0/1', step: step('a', 'a'), before: [], after: [], isLooser: false }
  const second = { ...version(2, [table('a', 2), table('b', 1)]), proposal: { isAlone: true, steps: [proposed] } }
  const third = version(3, [table('renamed', 3), table('b', 1)], [step('renamed', 'a')])
  expect(kinds(before, [second])).toEqual([['public.a', 'public.a', 'perhaps in place']])
  expect(kinds(before, [second, third])).toEqual([['public.renamed', 'public.a', 'perhaps in place']])
})
