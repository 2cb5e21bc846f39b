import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { ActionRefusal } from '../../../db/action.ts'
import { type DatabaseFault, rejectionOfFault, rejectionOfThrown } from './rejection-of.ts'

const fault = (state: string, more: Partial<DatabaseFault> = {}): DatabaseFault => ({
  state,
  message: 'said by Postgres',
  constraint: null,
  table: 'public.note',
  ...more,
})

const circle: Record<string, unknown> = {}
circle.itself = circle

describe('what the database says', () => {
  test.each([
    ['TMR04', 'missing-row'],
    ['42501', 'forbidden'],
    ['25006', 'forbidden'],
    ['23505', 'constraint'],
    ['23503', 'constraint'],
    ['23502', 'constraint'],
    ['23514', 'constraint'],
    ['23P01', 'constraint'],
    ['54000', 'limit-exceeded'],
    ['22P02', 'invalid'],
    ['22003', 'invalid'],
    ['P0001', 'invalid'],
    ['42703', 'invalid'],
    ['', 'invalid'],
  ])('RBS-R5 under SQLSTATE %s is %s', (state, kind) => {
    expect(rejectionOfFault(fault(state)).kind).toBe(kind)
  })

  test('RBS-R5 names the constraint and the table where it is known, and no empty names where not', () => {
    expect(rejectionOfFault(fault('23505', { constraint: 'note_slug_key' }))).toEqual({
      kind: 'constraint',
      message: 'said by Postgres',
      table: 'public.note',
      constraint: 'note_slug_key',
    })
    expect(rejectionOfFault(fault('23505', { table: null }))).toEqual({
      kind: 'constraint',
      message: 'said by Postgres',
    })
  })

  test('REB-05 RBS-R5 of a row that is not there is told in words of ours', () => {
    const { message } = rejectionOfFault(fault('TMR04'))
    expect(message).not.toContain('said by Postgres')
    expect(message).toMatch(/deleted, or moved/)
  })
})

describe('what an action throws', () => {
  test('ACT-R1 RBS-R5 a refusal is told as the app gave it', () => {
    const thrown = new ActionRefusal('full', 'The list is full.', { most: 3, names: ['a', null] })
    expect(rejectionOfThrown(thrown)).toEqual({
      kind: 'refused',
      code: 'full',
      message: 'The list is full.',
      data: { most: 3, names: ['a', null] },
    })
    expect(rejectionOfThrown(new ActionRefusal('full', 'm'))).toEqual({ kind: 'refused', code: 'full', message: 'm' })
    expect(rejectionOfThrown(new ActionRefusal('full', 'm', null))).toMatchObject({ data: null })
  })

  test('RBS-R5 what it gave is told as JSON holds it, which is what travels', () => {
    const data = { at: new Date(0), none: undefined }
    expect(rejectionOfThrown(new ActionRefusal('c', 'm', data))).toMatchObject({
      data: { at: '1970-01-01T00:00:00.000Z' },
    })
  })

  test('REB-11 arguments that are not those of the action are said to be so, without their values', () => {
    const { error } = z.object({ id: z.string() }).safeParse({ id: 7, secret: 'x' })
    expect(rejectionOfThrown(error)).toEqual({
      kind: 'invalid',
      message: 'The arguments are not those of this action.',
    })
  })

  test('RBS-R5 an error of the database is told by its SQLSTATE', () => {
    expect(rejectionOfThrown(Object.assign(new Error('m'), { code: '42501' }))).toEqual({
      kind: 'forbidden',
      message: 'm',
    })
    expect(rejectionOfThrown({ code: '54001', message: 'not an Error' }).kind).toBe('limit-exceeded')
  })

  test.each([
    ['duplicate key value violates unique constraint "note_slug_key"', 'note_slug_key'],
    ['insert or update on table "c" violates foreign key constraint "c_p_fkey"', 'c_p_fkey'],
    ['new row for relation "note" violates check constraint "note_rank_check"', 'note_rank_check'],
    ['conflicting key value violates exclusion constraint "no overlap"', 'no overlap'],
    ['update or delete on table "p" violates foreign key constraint "c_p_fkey" on table "c"', 'c_p_fkey'],
    ['update or delete on table "p" violates RESTRICT setting of foreign key constraint "k" on table "c"', 'k'],
  ])('RBS-R5 one that crossed from its worker as words alone is known by them: %s', (message, constraint) => {
    expect(rejectionOfThrown(new Error(message))).toEqual({ kind: 'constraint', message, constraint })
  })

  test('FLD-133 RBS-R5 a NULL where none may be names no constraint and violates one all the same', () => {
    const message = 'null value in column "a" of relation "t" violates not-null constraint'
    expect(rejectionOfThrown(new Error(message))).toEqual({ kind: 'constraint', message })
  })

  test.each([
    ['a number that JSON has not', 1n],
    ['a function', () => 1],
    ['what goes in a circle', circle],
  ])('FLD-133 RBS-R5 a refusal with %s as data is one without data', (_, data) => {
    expect(rejectionOfThrown(new ActionRefusal('full', 'It is full.', data))).toEqual({
      kind: 'refused',
      message: 'It is full.',
      code: 'full',
    })
  })

  test.each([
    ['an error of the app’s', new Error('It went wrong.'), 'It went wrong.'],
    ['an error that has a code of another sort', Object.assign(new Error('m'), { code: 7 }), 'm'],
    ['a text', 'thrown', 'thrown'],
    ['nothing', undefined, 'undefined'],
    ['null', null, 'null'],
  ])('RBS-R5 anything else is invalid, and says what it says: %s', (_, thrown, message) => {
    expect(rejectionOfThrown(thrown)).toEqual({ kind: 'invalid', message })
  })
})
