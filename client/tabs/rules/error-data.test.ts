import { describe, expect, test } from 'vitest'
import { ActionRefusal } from '../../../db/action.ts'
import { ERROR_RULES, type ErrorKind, mutationId, type Rejection, TidemarkError } from '../../../protocol/index.ts'
import { MutationFailed } from '../../mutations/mutation.ts'
import { UndoRefused } from '../../mutations/undo-refused.ts'
import { UnsentWork } from '../../mutations/unsent-work.ts'
import { decodeError, encodeError } from './error-data.ts'

/** An error as the other tab has it; channels clone what they carry. */
const cross = (error: unknown) => decodeError(structuredClone(encodeError(error)))

/** An error with the fields of Postgres', as PGlite throws it. */
const postgresError = (fields: object) =>
  Object.assign(new Error('duplicate key value violates unique constraint "items_pkey"'), {
    name: 'error',
    ...fields,
  })

function chain(length: number): TidemarkError {
  const last = new TidemarkError('internal', 'Link 1.')
  return Array.from({ length: length - 1 }, (_, index) => index + 2).reduce(
    (cause, place) => new TidemarkError('internal', `Link ${place}.`, { cause }),
    last,
  )
}

function messagesOf(error: unknown): string[] {
  return error instanceof Error ? [error.message, ...messagesOf(error.cause)] : []
}

describe('TidemarkError', () => {
  test.each(Object.keys(ERROR_RULES) as ErrorKind[])('TAB-R4 an error of the kind %s crosses as one', (kind) => {
    const error = new TidemarkError(kind, 'Do this.')
    const crossed = cross(error)
    expect(crossed).toBeInstanceOf(TidemarkError)
    expect(crossed).toMatchObject({
      name: 'TidemarkError',
      kind,
      message: 'Do this.',
      retryAfterMs: null,
      retry: error.retry,
      httpStatus: error.httpStatus,
      closeCode: error.closeCode,
    })
    expect(Object.hasOwn(crossed, 'cause')).toBe(false)
  })

  test.each([0, 1_500])('TAB-R4 the time of %i ms for which the other side asks stays', (retryAfterMs) => {
    expect(cross(new TidemarkError('unavailable', 'Wait.', { retryAfterMs }))).toMatchObject({ retryAfterMs })
  })

  test('TAB-R4 a cause keeps its class and its SQLSTATE', () => {
    const cause = postgresError({ code: '23505', constraint: 'items_pkey' })
    const crossed = cross(new TidemarkError('bad-input', 'Choose another key.', { cause }))
    expect(crossed.cause).toMatchObject({ name: 'error', message: cause.message, code: '23505' })
    const rejection: Rejection = { kind: 'refused', message: 'No.' }
    const failed = new MutationFailed(mutationId('client', 3), rejection)
    expect(cross(new TidemarkError('internal', 'Outer.', { cause: failed })).cause).toBeInstanceOf(MutationFailed)
  })

  test('TAB-R4 three causes cross, and those beyond them are left out', () => {
    expect(messagesOf(cross(chain(3)))).toEqual(['Link 3.', 'Link 2.', 'Link 1.'])
    expect(messagesOf(cross(chain(4)))).toEqual(['Link 4.', 'Link 3.', 'Link 2.', 'Link 1.'])
    expect(messagesOf(cross(chain(6)))).toEqual(['Link 6.', 'Link 5.', 'Link 4.', 'Link 3.'])
  })

  test('TAB-R4 causes that go in a circle end', () => {
    const error = new TidemarkError('internal', 'Around.')
    error.cause = error
    expect(messagesOf(cross(error))).toEqual(['Around.', 'Around.', 'Around.', 'Around.'])
  })

  test('TAB-R4 a cause that is no error becomes one', () => {
    const crossed = cross(new TidemarkError('internal', 'Outer.', { cause: 'a text' }))
    expect(crossed.cause).toMatchObject({ name: 'Error', message: 'a text' })
  })
})

describe('errors of mutations', () => {
  test('TAB-R4 a failed mutation keeps its id and its rejection', () => {
    const rejection: Rejection = { kind: 'refused', message: 'Too long.', code: 'too-long', key: { id: '1' } }
    const crossed = cross(new MutationFailed(mutationId('client', 7), rejection))
    expect(crossed).toBeInstanceOf(MutationFailed)
    expect(crossed).toMatchObject({ name: 'MutationFailed', message: 'Too long.', id: 'client:7', rejection })
  })

  test('TAB-R4 a refused undo keeps its row and its columns', () => {
    const error = new UndoRefused({ table: 'public.items', key: { id: '1', part: null } }, ['title', 'done'])
    const crossed = cross(error)
    expect(crossed).toBeInstanceOf(UndoRefused)
    expect(crossed).toMatchObject({
      name: 'UndoRefused',
      message: error.message,
      table: 'public.items',
      key: { id: '1', part: null },
      columns: ['title', 'done'],
    })
  })

  test('TAB-R4 a refused sign-out keeps its counts', () => {
    const error = new UnsentWork({ pending: 2, failed: 1 })
    const crossed = cross(error)
    expect(crossed).toBeInstanceOf(UnsentWork)
    expect(crossed).toMatchObject({ name: 'UnsentWork', message: error.message, pending: 2, failed: 1 })
  })
})

describe('other errors', () => {
  test("TAB-R4 an error of Postgres keeps its SQLSTATE and its fields, but not the app's values or its statement", () => {
    const fields = {
      severity: 'ERROR',
      code: '23505',
      detail: 'Key (id)=(1) already exists.',
      schema: 'public',
      table: 'items',
      constraint: 'items_pkey',
      length: 210,
    }
    const error = postgresError({ ...fields, hint: undefined, query: 'insert into items values ($1)', params: ['1'] })
    const crossed = cross(error)
    expect(crossed).toBeInstanceOf(Error)
    expect(crossed).toMatchObject({ name: 'error', message: error.message, ...fields })
    expect(Object.keys(crossed).sort()).toEqual([...Object.keys(fields), 'name'].sort())
  })

  test('TAB-R4 fields that are not plain stay behind, so that every error can be cloned', () => {
    const error = Object.assign(new Error('Odd.'), { callback: () => 1, nested: { a: 1 }, isOdd: true, none: null })
    expect(encodeError(error)).toEqual({
      is: 'other',
      name: 'Error',
      message: 'Odd.',
      fields: { isOdd: true, none: null },
      notices: [],
      cause: null,
    })
  })

  test('TAB-R4 an error of the platform keeps its name', () => {
    expect(cross(new TypeError('Not a function.'))).toMatchObject({ name: 'TypeError', message: 'Not a function.' })
    expect(cross(new DOMException('Stopped.', 'AbortError'))).toMatchObject({ name: 'AbortError', message: 'Stopped.' })
  })

  test.each([
    ['a text', 'gone', 'gone'],
    ['nothing', undefined, 'undefined'],
    ['null', null, 'null'],
    ['a number', 7, '7'],
    ['a symbol', Symbol('s'), 'Symbol(s)'],
    ['an object', { code: 1 }, '[object Object]'],
  ])('TAB-R4 %s that was thrown crosses as an error', (_, thrown, message) => {
    const crossed = cross(thrown)
    expect(crossed).toBeInstanceOf(Error)
    expect(crossed).toMatchObject({ name: 'Error', message })
  })

  test('TAB-R4 an error that crosses twice is the same', () => {
    const error = new TidemarkError('unavailable', 'Wait.', {
      cause: postgresError({ code: '40001' }),
      retryAfterMs: 5,
    })
    expect(encodeError(cross(cross(error)))).toEqual(encodeError(error))
  })
})

test('TAB-R4 a refusal of an action stays one, with its code and its data; what is no JSON is left out', () => {
  const across = (data: unknown) =>
    decodeError(structuredClone(encodeError(new ActionRefusal('open', 'Still open.', data))))
  expect(across({ left: 2 })).toMatchObject({ code: 'open', message: 'Still open.', data: { left: 2 } })
  expect(across({ left: 2 })).toBeInstanceOf(ActionRefusal)
  for (const data of [undefined, () => 1, 1n]) expect(across(data)).toMatchObject({ code: 'open', data: null })
})

test('TAB-R4 an error of the app keeps the error of Postgres that caused it', () => {
  const cause = Object.assign(new Error('duplicate key'), { code: '23505' })
  const across = decodeError(structuredClone(encodeError(new Error('It is there already.', { cause }))))
  expect(across).toMatchObject({ message: 'It is there already.', cause: { message: 'duplicate key', code: '23505' } })
})
