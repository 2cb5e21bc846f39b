import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { DefinitionInForce, TableDefinition, WatchedTable } from '../../../protocol/index.ts'
import { audienceOfValues, planKey, planTable, planTables, rowToJson, toJson } from './table-plan.ts'

const column = (name: string, type = 'text', more: object = {}) => ({
  name,
  type,
  notNull: false,
  generated: null as string | null,
  ...more,
})
const MEMBER: TableDefinition = {
  id: 'public.member',
  schema: 'public',
  name: 'member',
  columns: [
    column('name'),
    column('low', 'text', { generated: 'lower(name)' }),
    column('org', 'text', { notNull: true }),
    column('photo', 'bytea'),
    column('id', 'integer', { notNull: true }),
    column('photos', 'bytea[]'),
  ],
  primaryKey: ['id', 'org'],
  audience: { column: 'org', prefix: 'org' },
  priority: 1,
  uniques: [],
  indexes: [],
  foreignKeys: [],
}
const inForce = (tables: TableDefinition[], watched?: WatchedTable[]): DefinitionInForce => ({
  version: 1,
  hash: 'h',
  definition: { types: [], tables },
  ...(watched === undefined ? {} : { watched }),
})
const member = planTable(MEMBER)

describe('a plan', () => {
  test('CAP-R7 has the columns that travel, in their order; what replicas compute is not among them', () => {
    expect(member.columns).toEqual(['name', 'org', 'photo', 'id', 'photos'])
    expect([...member.positions]).toEqual(member.columns.map((name, position) => [name, position]))
  })

  test('has the key in the order of the key, and the columns that cannot be NULL', () => {
    expect(member.keyPositions).toEqual([3, 1])
    expect(member.filledPositions).toEqual([1, 3])
  })

  test('knows as bytea what wal2json prints without its mark: no array of it', () => {
    expect(member.isBytea).toEqual([false, false, true, false, false])
  })
})

describe('the audience of a row', () => {
  test.each([
    ['its column’s value behind the prefix', 'a', 'org:a'],
    ['an empty text, which is a value', '', 'org:'],
    ['a value that looks like an audience', 'org:b', 'org:org:b'],
  ])('is %s', (_, value, audience) => {
    expect(audienceOfValues(member, ['n', value, null, '1', null])).toBe(audience)
  })

  test('CAP-R5 CAP-08 is nobody where that is NULL or not told', () => {
    expect(audienceOfValues(member, ['n', null, null, '1', null])).toBeNull()
    expect(audienceOfValues(member, ['n', undefined, null, '1', null])).toBeNull()
    expect(audienceOfValues(member, [])).toBeNull()
  })

  test('is the constant, whatever the row holds', () => {
    const everyone = planTable({ ...MEMBER, audience: { constant: 'all' } })
    expect(audienceOfValues(everyone, [])).toBe('all')
  })
})

describe('JSON of a row', () => {
  test('CAP-R3 CAP-11 NULL is null, and what the log does not carry is not in it', () => {
    const values = [null, 'a', undefined, '1', 'null']
    expect(rowToJson(member, values)).toBe('{"name":null,"org":"a","id":"1","photos":"null"}')
    expect(toJson(member, values, member.keyPositions)).toBe('{"id":"1","org":"a"}')
    expect(toJson(member, [], member.allPositions)).toBe('{}')
  })

  test('CAP-13 quotes, backslashes and control characters read back as they were, in names too', () => {
    const odd = planTable({
      ...MEMBER,
      columns: [column('a "b"\\'), column('id')],
      primaryKey: ['id'],
      audience: { constant: 'all' },
    })
    expect(JSON.parse(rowToJson(odd, ['"\\\n\u0001', '💧']))).toEqual({ 'a "b"\\': '"\\\n\u0001', id: '💧' })
  })

  test('CAP-13 every text reads back as it was, and a column may be called as what all objects have', () => {
    const plan = planTable({ ...MEMBER, columns: [...MEMBER.columns, column('__proto__')] })
    const value = fc.option(fc.string({ unit: 'binary' }), { nil: null })
    const count = plan.columns.length
    fc.assert(
      fc.property(fc.array(value, { minLength: count, maxLength: count }), (values) => {
        const read = JSON.parse(rowToJson(plan, values))
        expect(plan.columns.map((name) => Object.getOwnPropertyDescriptor(read, name)?.value)).toEqual(values)
      }),
    )
  })
})

describe('the plans of a definition', () => {
  test('CAP-R8 CAP-R31 CAP-R19 are of its tables, of the one that announces the next, and of that in which mutations begin', () => {
    const plans = [...planTables(inForce([MEMBER])).values()]
    expect(plans.map(({ id, own }) => [id, own])).toEqual([
      ['tidemark.sync_definition', 'sync_definition'],
      ['tidemark.mutation', 'mutation'],
      ['public.member', null],
    ])
    expect(plans.every(({ isSynced, watch }) => isSynced && watch === undefined)).toBe(true)
  })

  test('CAP-13 tables whose names would run together are kept apart', () => {
    const twin = (schema: string, name: string) => ({ ...MEMBER, id: `${schema}/${name}`, schema, name })
    const plans = planTables(inForce([twin('a', 'b.c'), twin('a.b', 'c'), twin('A', 'b.c')]))
    expect(plans.get(planKey('a', 'b.c'))?.id).toBe('a/b.c')
    expect(plans.get(planKey('a.b', 'c'))?.id).toBe('a.b/c')
    expect(plans.get(planKey('A', 'b.c'))?.id).toBe('A/b.c')
  })
})

describe('watched tables', () => {
  const watched = (user: string | null, name = 'member'): WatchedTable => ({
    id: `public.${name}`,
    schema: 'public',
    name,
    user,
  })
  const planOf = (user: string | null, name = 'member') =>
    planTables(inForce([MEMBER], [watched(user, name)])).get(planKey('public', name))

  test('RGT-R5 one that is not synced is decoded for its user alone, and told to nobody', () => {
    expect(planOf('user_id', 'grant')).toMatchObject({
      columns: ['user_id'],
      isSynced: false,
      own: null,
      watch: { userPosition: 0 },
    })
  })

  test('RGT-R1 one whose rows name no user concerns everyone', () => {
    expect(planOf(null, 'grant')).toMatchObject({ columns: [], watch: { userPosition: null } })
    expect(planOf(null)).toMatchObject({ columns: member.columns, isSynced: true, watch: { userPosition: null } })
  })

  test('RGT-R1 one that is synced stays so, and finds the user among its columns', () => {
    expect(planOf('id')).toMatchObject({ columns: member.columns, isSynced: true, watch: { userPosition: 3 } })
  })

  test('RGT-R5 CAP-R7 a user’s column that is hidden is decoded and stands in no row that is told', () => {
    const plan = planOf('secret_user')
    if (!plan) throw new Error('There is no plan.')
    const position = plan.watch?.userPosition ?? -1
    expect(plan.positions.get('secret_user')).toBe(position)
    const values: (string | null)[] = ['n', 'a', null, '1', null]
    values[position] = 'u-1'
    expect(rowToJson(plan, values)).toBe(rowToJson(member, values.slice(0, 5)))
    expect(rowToJson(plan, values)).not.toContain('u-1')
    expect(plan.columns).toEqual(member.columns)
  })

  test('RGT-R10 what is watched is no part of the plan of any other table', () => {
    const plans = planTables(inForce([MEMBER], [watched('user_id', 'grant')]))
    expect(plans.get(planKey('public', 'member'))).toEqual(member)
  })
})
