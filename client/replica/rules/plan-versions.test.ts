import { describe, expect, test } from 'vitest'
import type { Definition, DefinitionVersion, TableDefinition, TableStep } from '../../../protocol/index.ts'
import { column, defineTable } from '../../../testing/replica/definitions.ts'
import { at } from '../../../testing/replica/scripted-server.ts'
import { planVersions, planWithoutSteps } from './plan-versions.ts'

const org = column('org')
const state = (...labels: string[]) => ({
  schema: 'public',
  name: 'state',
  statement: `CREATE TYPE "public"."state" AS ENUM (${labels.map((label) => `'${label}'`).join(', ')})`,
})
const task = defineTable('task', [column('id'), org, column('state', 'public.state')], { since: 1 })
const note = defineTable('note', [column('id'), org], { since: 1 })
const FIRST: Definition = { types: [state('a')], tables: [note, task] }
const held = { version: 1, definition: FIRST, behind: new Set<string>(), owed: new Map() }

const version = (
  number: number,
  tables: TableDefinition[],
  steps: TableStep[] = [],
  types = FIRST.types,
  names: TableStep[] = [],
): DefinitionVersion => ({
  version: number,
  hash: `hash ${number}`,
  lsn: at(number * 16),
  definition: { types, tables },
  steps,
  names,
})
const step = (table: string, from: string | null): TableStep => ({ table, from, columns: [] })
const ids = (definition: Definition) => definition.tables.map(({ id }) => id)

describe('the way to a later version', () => {
  test('MIG-R1 keeps a table that is as it was, takes one that has a step, and loads any other', () => {
    const wide = { ...note, columns: [...note.columns, column('more')], since: 2 }
    const kept = planVersions(held, at(0), [version(2, [wide, task], [step(note.id, note.id)])])
    expect(kept.renewed.size).toBe(0)
    expect(kept.phases).toMatchObject([
      { lsn: at(32), inForce: { version: 2, hash: 'hash 2' }, changes: [{ after: wide }] },
    ])
    const loaded = planVersions(held, at(0), [version(2, [wide, task])])
    expect([...loaded.renewed]).toEqual([note.id])
    // The rows of before are shown until the load is there.
    expect(loaded.phases[0]?.inForce.definition.tables.find(({ id }) => id === note.id)).toEqual(note)
    expect(loaded.phases[0]?.inForce.hash).toBe('hash 2-behind-1')
  })

  test('MIG-R1 a table that was once behind stays so, whatever steps come later, and is loaded by its last name', () => {
    const named = { ...note, id: 'public.memo', name: 'memo', since: 3 }
    const plan = planVersions(held, at(0), [
      version(2, [{ ...note, since: 2 }, task]),
      version(3, [named, task], [step('public.memo', note.id)]),
    ])
    expect([...plan.renewed]).toEqual(['public.memo'])
    expect(ids(plan.phases[1]?.inForce.definition ?? FIRST)).toEqual([task.id, note.id])
    expect(plan.phases[1]?.changes).toEqual([])
  })

  test('MIG-R1 names that are taken over or exchanged are told apart by their steps', () => {
    const [a, b] = [
      { ...note, since: 2 },
      { ...task, since: 2 },
    ]
    const exchanged = planVersions(held, at(0), [version(2, [a, b], [step(note.id, task.id), step(task.id, note.id)])])
    expect(exchanged.phases[0]?.changes.map(({ before, after }) => [before?.id, after.id])).toEqual([
      [task.id, note.id],
      [note.id, task.id],
    ])
    expect(exchanged.phases[0]?.gone).toEqual([])
    const made = planVersions(held, at(0), [version(2, [a, task], [step(note.id, null)])])
    expect(made.phases[0]?.gone).toEqual([note])
    const filled = planVersions(held, at(0), [
      version(2, [a, { ...note, id: 'public.old', name: 'old', since: 2 }, task], [step('public.old', note.id)]),
    ])
    expect([...filled.renewed]).toEqual([note.id])
    expect(ids(filled.phases[0]?.inForce.definition ?? FIRST)).toEqual(['public.old', task.id])
  })

  test('MIG-R1 a type that can only be made anew stays until its last table is loaded', () => {
    const retyped = { ...task, since: 2 }
    const plan = planVersions(held, at(0), [version(2, [note, retyped], [], [state('b')])])
    expect([...plan.renewed]).toEqual([task.id])
    expect(plan.phases[0]?.inForce.definition.types).toEqual([state('a')])
    const added = defineTable('label', [column('id'), org, column('state', 'public.state')], { since: 2 })
    const both = planVersions(held, at(0), [version(2, [note, retyped, added], [step(added.id, null)], [state('b')])])
    expect([...both.renewed].sort()).toEqual([added.id, task.id])
    const more = planVersions(held, at(0), [version(2, [note, retyped], [step(task.id, task.id)], [state('a', 'b')])])
    expect(more.renewed.size).toBe(0)
    expect(more.phases[0]?.inForce.definition.types).toEqual([state('a', 'b')])
  })

  test('MIG-R1 a version that the cursor has passed is taken at once, and its steps come too late', () => {
    const wide = { ...note, columns: [...note.columns, column('more')], since: 2 }
    const plan = planVersions(held, at(40), [version(2, [wide, task], [step(note.id, note.id)])])
    expect([...plan.renewed]).toEqual([note.id])
    expect(plan.phases).toMatchObject([{ lsn: at(40), changes: [] }])
  })

  test('MIG-R1 what is behind already is loaded where nothing came after it', () => {
    const plan = planVersions({ ...held, behind: new Set([task.id]) }, at(0), [])
    expect(plan).toEqual({ phases: [], renewed: new Set([task.id]) })
  })

  test('MIG-R5 without its steps a version costs a load of their tables alone', () => {
    const wide = { ...note, columns: [...note.columns, column('more')], since: 2 }
    const phase = planWithoutSteps(held, version(2, [wide, task], [step(note.id, note.id)]))
    expect([...phase.behind]).toEqual([note.id])
    expect(phase.changes).toEqual([])
  })

  test('MIG-R4 a table that is loaded is shown under the name that it had, and its later names are owed to the work on it', () => {
    const memo = { ...note, id: 'public.memo', name: 'memo', columns: [column('key'), org], since: 2 }
    const named: TableStep = {
      table: memo.id,
      from: note.id,
      columns: [
        { name: 'key', from: 'id' },
        { name: 'org', from: 'org' },
      ],
    }
    const page = { ...memo, id: 'public.page', name: 'page', since: 3 }
    const again: TableStep = { table: page.id, from: memo.id, columns: [{ name: 'key', from: 'key' }] }
    const plan = planVersions(held, at(0), [
      version(2, [memo, task], [], FIRST.types, [named]),
      version(3, [page, task], [again]),
    ])
    expect([...plan.renewed]).toEqual([page.id])
    for (const { inForce, gone, changes } of plan.phases)
      expect([ids(inForce.definition), gone, changes]).toEqual([[task.id, note.id], [], []])
    const [, last] = plan.phases
    expect([...(last?.behind ?? [])]).toEqual([page.id, note.id])
    expect(last?.owed.get(note.id)).toMatchObject({ table: page.id, columns: new Map([['id', 'key']]) })
    const late = planVersions(held, at(40), [version(2, [memo, task], [named])])
    expect(late.phases[0]?.owed.get(note.id)?.table).toBe(memo.id)
  })

  test('MIG-R4 while it is shown, no other table gets the name that it had', () => {
    const memo = { ...note, id: 'public.memo', name: 'memo', since: 2 }
    const named: TableStep = { table: memo.id, from: note.id, columns: [] }
    const others = [step(note.id, null), step(note.id, task.id)]
    for (const other of others) {
      const tables = other.from === null ? [memo, { ...note, since: 2 }, task] : [memo, { ...task, ...note, since: 2 }]
      const plan = planVersions(held, at(0), [version(2, tables, [other], FIRST.types, [named])])
      expect([...plan.renewed].sort()).toEqual([memo.id, note.id])
      expect(ids(plan.phases[0]?.inForce.definition ?? FIRST).sort()).toEqual([note.id, task.id])
    }
  })
})
