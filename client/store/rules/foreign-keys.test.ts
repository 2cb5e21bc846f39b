import { describe, expect, test } from 'vitest'
import { column, defineTable } from '../../../testing/replica/definitions.ts'
import { foreignKeysOf } from './foreign-keys.ts'

const keysOf = (...clauses: string[]) =>
  foreignKeysOf({
    types: [],
    tables: [
      defineTable('child', [column('id')], {
        foreignKeys: clauses.map((clause, index) => ({
          name: `k${index}`,
          statement: `ALTER TABLE public.child ADD CONSTRAINT k${index} FOREIGN KEY ${clause} NOT VALID`,
        })),
      }),
    ],
  })

describe('a foreign key', () => {
  test('RBS-R6 is read with its columns in their order', () => {
    expect(keysOf('(a, b) REFERENCES public.parent(x, y)')).toEqual([
      {
        table: 'public.child',
        columns: ['a', 'b'],
        parent: 'public.parent',
        parentColumns: ['x', 'y'],
        onDelete: null,
        onUpdate: null,
      },
    ])
  })

  test.each([
    ['ON DELETE CASCADE', 'CASCADE', null],
    ['ON UPDATE CASCADE', null, 'CASCADE'],
    ['ON UPDATE CASCADE ON DELETE SET NULL', 'SET NULL', 'CASCADE'],
    [
      'MATCH FULL ON UPDATE SET DEFAULT ON DELETE SET DEFAULT DEFERRABLE INITIALLY DEFERRED',
      'SET DEFAULT',
      'SET DEFAULT',
    ],
    ['ON DELETE SET NULL (a)', 'SET NULL', null],
    ['ON UPDATE RESTRICT ON DELETE RESTRICT', null, null],
    ['DEFERRABLE', null, null],
  ])('OUT-14 RBS-R1 %s does to its children: %s on a delete, %s on an update', (clause, onDelete, onUpdate) => {
    expect(keysOf(`(a) REFERENCES public.parent(id) ${clause}`)).toMatchObject([{ onDelete, onUpdate }])
  })

  test.each([
    ['("say ""hi""") REFERENCES public.parent(id)', ['say "hi"'], 'public.parent'],
    ['("a, b", c) REFERENCES public.parent(id, d)', ['a, b', 'c'], 'public.parent'],
    ['("a) REFERENCES x.y(z") REFERENCES public.parent(id)', ['a) REFERENCES x.y(z'], 'public.parent'],
    ['(a) REFERENCES "My App"."Par.ent"(id)', ['a'], '"My App"."Par.ent"'],
    ['("größe") REFERENCES public.parent(id)', ['größe'], 'public.parent'],
    ['(a) REFERENCES ONLY public.parent(id)', ['a'], 'public.parent'],
  ])('CAP-13 RBS-R6 is read as Postgres prints it: %s', (clause, columns, parent) => {
    expect(keysOf(clause)).toMatchObject([{ columns, parent }])
  })

  test('RBS-R1 what its names say of actions is no action', () => {
    const clause = '("ON DELETE CASCADE") REFERENCES public."ON UPDATE CASCADE"("ON DELETE SET NULL")'
    expect(keysOf(clause)).toMatchObject([{ columns: ['ON DELETE CASCADE'], onDelete: null, onUpdate: null }])
  })

  test('RBS-R6 may refer to its own table', () => {
    expect(keysOf('(up) REFERENCES public.child(id)')).toMatchObject([
      { table: 'public.child', parent: 'public.child' },
    ])
  })
})

test('RBS-R6 all foreign keys of all tables are read, and a table without any has none', () => {
  const two = keysOf('(a) REFERENCES public.p(id)', '(b) REFERENCES public.q(id)')
  expect(two.map(({ columns, parent }) => [...columns, parent])).toEqual([
    ['a', 'public.p'],
    ['b', 'public.q'],
  ])
  expect(foreignKeysOf({ types: [], tables: [defineTable('alone', [column('id')])] })).toEqual([])
})
