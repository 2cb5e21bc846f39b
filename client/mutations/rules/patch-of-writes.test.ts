import { describe, expect, test } from 'vitest'
import type { PatchRow, Row } from '../../../protocol/index.ts'
import { column, defineTable, WRITABLE } from '../../../testing/replica/definitions.ts'
import { FOLDER, folder, NOTE, note, tables, captured as write } from '../../../testing/replica/writable-rows.ts'
import { isExact } from '../../rebase/rules/exact-confirmation.ts'
import { rejectionOfFault, rejectionOfThrown } from '../../rebase/rules/rejection-of.ts'
import { keyText, replicaTables } from '../../store/replica-table.ts'
import type { CapturedWrite } from '../../store/rules/captured-write.ts'
import { foreignKeysOf } from '../../store/rules/foreign-keys.ts'
import { dependencies, dependentsOf, type Effects } from './dependents.ts'
import { mutationsToUndo } from './mutations-to-undo.ts'
import { patchOfWrites, patchTables } from './patch-of-writes.ts'

const facts = patchTables(tables)

const patch = (...writes: CapturedWrite[]) => patchOfWrites(writes, facts, () => null)
const told = (rows: readonly PatchRow[]) => rows.map(({ o, t, k }) => `${o} ${t.slice(7)} ${k.id}`)

describe('a patch', () => {
  test('RBS-R1 is the net effect of each row; what comes to nothing is not in it', () => {
    const made = note('1')
    const changed = { ...made, rank: '2', title: 'x' }
    expect(patch(write(NOTE, null, made), write(NOTE, made, changed))).toMatchObject([{ o: 'i', d: { rank: '2' } }])
    expect(patch(write(NOTE, null, made), write(NOTE, made, null))).toEqual([])
    expect(patch(write(NOTE, made, changed), write(NOTE, changed, made))).toEqual([])
    expect(patch(write(NOTE, made, null), write(NOTE, null, changed))).toMatchObject([
      { o: 'u', d: { rank: '2', title: 'x' }, b: { rank: { v: '1' }, title: { v: null } } },
    ])
    expect(patch(write(NOTE, made, { ...made, org: 'b' }))).toMatchObject([
      { o: 'd', a: 'org:a' },
      { o: 'i', a: 'org:b' },
    ])
  })

  test('AUD-R6 names no audience that the server keeps, and moves its row by what it writes', () => {
    const kept = { name: 'tidemark_audience', type: 'text', notNull: false, generated: null } as const
    const [parent, child] = [
      defineTable('parent', [column('id'), column('org')], { write: 'all' }),
      defineTable('child', [column('id'), column('up'), { ...kept, serverGenerated: true, serverDefault: true }], {
        write: 'all',
        audience: { column: 'tidemark_audience', prefix: 'org' },
        kept: { parent: { schema: 'public', name: 'parent', columns: ['up'], key: ['id'], audience: 'org' } },
      }),
    ]
    const of = patchTables(replicaTables({ types: [], tables: [parent, child] }, 'live'))
    const made = (...writes: CapturedWrite[]) => patchOfWrites(writes, of, () => null)
    const row = { id: '1', up: 'p', tidemark_audience: 'a' }
    const wrote = (before: Row | null, after: Row | null): CapturedWrite => {
      const op = before === null ? 'insert' : after === null ? 'delete' : 'update'
      return { table: 'public.child', key: '1', op, before, after }
    }
    expect(made(wrote(null, row))).toEqual([
      {
        o: 'i',
        t: 'public.child',
        a: '',
        k: { id: '1' },
        d: { ...row, tidemark_audience: null },
        z: ['tidemark_audience'],
      },
    ])
    expect(made(wrote(row, { ...row, up: 'q', tidemark_audience: 'b' }))).toEqual([
      { o: 'u', t: 'public.child', a: 'org:a', k: { id: '1' }, d: { up: 'q' }, b: { up: { v: 'p' } } },
    ])
    expect(made(wrote(row, { ...row, tidemark_audience: null }))).toEqual([])
    expect(made(wrote({ ...row, tidemark_audience: null }, null))).toEqual([
      { o: 'd', t: 'public.child', a: '', k: { id: '1' } },
    ])
  })

  test('RBS-R1 has its rows in an order that constraints allow', () => {
    const alone = note('1')
    const inFolder = { ...alone, folder: 'f' }
    const rows = patch(
      write(NOTE, null, alone),
      write(FOLDER, null, folder('f')),
      write(NOTE, alone, inFolder),
      write(FOLDER, folder('f'), folder('f', 'named')),
    )
    expect(told(rows)).toEqual(['i folder f', 'i note 1'])
    const swapped = patch(
      write(NOTE, note('2', { title: 'a' }), note('2', { title: 'temporary' })),
      write(NOTE, note('3', { title: 'b' }), note('3', { title: 'a' })),
      write(NOTE, note('2', { title: 'temporary' }), note('2', { title: 'c' })),
    )
    expect(told(swapped)).toEqual(['u note 2', 'u note 3'])
    const left = patch(
      write(FOLDER, folder('g'), null),
      write(NOTE, note('4', { folder: 'g' }), note('4', { folder: 'f', rank: '2' })),
    )
    expect(told(left)).toEqual(['u note 4', 'd folder g'])
  })

  test('OUT-14 leaves cascades out, but for rows that it wrote itself', () => {
    const child = note('1', { folder: 'f' })
    expect(told(patch(write(FOLDER, folder('f'), null), write(NOTE, child, null)))).toEqual(['d folder f'])
    const edited = { ...child, title: 'x' }
    const both = patch(write(NOTE, child, edited), write(FOLDER, folder('f'), null), write(NOTE, edited, null))
    expect(told(both)).toEqual(['d note 1', 'd folder f'])
    // The row was made again after its cascade: for one change the server would not cascade.
    const again = patch(write(FOLDER, folder('f'), null), write(NOTE, child, null), write(FOLDER, null, folder('f')))
    expect(told(again)).toEqual(['d folder f', 'i folder f'])
    // A new row after a cascade is the author's own.
    const own = patch(write(FOLDER, folder('f'), null), write(NOTE, child, null), write(NOTE, null, note('2')))
    expect(told(own)).toEqual(['d folder f', 'i note 2'])
  })
})

describe('who is concerned', () => {
  test('RBS-R2 what wrote a touched row is undone with every later sharer, and nothing else', () => {
    const pending = [
      { counter: 1, rows: ['a'] },
      { counter: 2, rows: ['a', 'b'] },
      { counter: 3, rows: ['c'] },
      { counter: 4, rows: ['b'] },
    ]
    const undone = (row: string, ...from: number[]) => [
      ...mutationsToUndo(pending, (one) => one === row, new Set(from)),
    ]
    expect(undone('a')).toEqual([1, 2, 4])
    expect(undone('b')).toEqual([2, 4])
    expect(undone('none', 3)).toEqual([3])
    expect(undone('none')).toEqual([])
  })

  test('OUT-07 RBS-R6 a mutation builds on who inserted its row, or a row to which it refers', () => {
    const row = (table: string, op: 'insert' | 'update' | 'delete', values: Row): Effects['rows'][number] => {
      const of = tables.get(table)
      return { table, op, values: op === 'delete' ? null : values, key: of ? keyText(of, { org: 'a', ...values }) : '' }
    }
    const on = dependencies(
      [
        { counter: 1, rows: [row(FOLDER, 'insert', folder('f'))] },
        { counter: 2, rows: [row(NOTE, 'insert', note('1', { folder: 'f' }))] },
        { counter: 3, rows: [row(NOTE, 'update', { id: '1', rank: '5' })] },
        { counter: 4, rows: [row(NOTE, 'update', { id: '2', rank: '5' })] },
        // Its other column of the foreign key is unchanged, and therefore left out.
        { counter: 5, rows: [row(NOTE, 'update', { id: '2', folder: 'f' })] },
        { counter: 6, rows: [row(NOTE, 'delete', { id: '1' })] },
        { counter: 7, rows: [row(NOTE, 'insert', note('1'))] },
      ],
      facts.keys,
    )
    expect(Object.fromEntries(on)).toEqual({ 2: [1], 3: [2], 5: [1], 6: [2] })
    expect(Object.fromEntries(dependentsOf(new Set([1]), on))).toEqual({ 2: 1, 3: 2, 5: 1, 6: 2 })
    expect(Object.fromEntries(dependentsOf(new Set([4]), on))).toEqual({})
  })

  test('RBS-R4 a confirmation is exact where each row stands as committed, and each that was written is among them', () => {
    const mine = [write(NOTE, note('1'), note('1', { title: 'x' }))]
    const change = (data: Row) => ({ op: 'update' as const, table: NOTE, audience: 'org:a', key: { id: '1' }, data })
    expect(isExact([change({ title: 'x' })], mine, tables)).toBe(true)
    expect(isExact([change({ title: 'x', rank: '1' })], mine, tables)).toBe(true)
    expect(isExact([change({ title: 'y' })], mine, tables)).toBe(false)
    expect(isExact([change({ rank: '1' })], mine, tables)).toBe(false)
    expect(isExact([], mine, tables)).toBe(false)
    expect(isExact([change({ title: 'x' }), change({ title: 'x' })], mine, tables)).toBe(false)
  })
})

test('RBS-R1 foreign keys are read as Postgres prints them', () => {
  const [table] = WRITABLE.tables
  if (!table) return
  const statement =
    'ALTER TABLE "s"."Odd" ADD CONSTRAINT "k" FOREIGN KEY ("A ""b"")", c) REFERENCES "s".parent("x, y", c) MATCH FULL ON UPDATE CASCADE ON DELETE SET NULL DEFERRABLE NOT VALID'
  const keys = foreignKeysOf({ types: [], tables: [{ ...table, foreignKeys: [{ name: 'k', statement }] }] })
  expect(keys).toEqual([
    {
      table: FOLDER,
      columns: ['A "b")', 'c'],
      parent: 's.parent',
      parentColumns: ['x, y', 'c'],
      onDelete: 'SET NULL',
      onUpdate: 'CASCADE',
    },
  ])
})

test('RBS-R5 why a redo failed is said by type', () => {
  const kind = (state: string) => rejectionOfFault({ state, message: 'm', constraint: null, table: NOTE }).kind
  expect(['TMR04', '42501', '25006', '23505', '54000', '22P02'].map(kind)).toEqual([
    'missing-row',
    'forbidden',
    'forbidden',
    'constraint',
    'limit-exceeded',
    'invalid',
  ])
  const words = new Error('insert or update on table "c" violates foreign key constraint "c_p_fkey"')
  expect(rejectionOfThrown(words)).toMatchObject({ kind: 'constraint', constraint: 'c_p_fkey' })
  expect(rejectionOfThrown(new Error('any'))).toMatchObject({ kind: 'invalid', message: 'any' })
})
