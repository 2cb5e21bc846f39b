import { expect, test } from 'vitest'
import { MutationRejected } from './mutation-rejected.ts'

test('a refusal is an error with the words of its rejection, told apart by its class', () => {
  const rejection = { kind: 'forbidden' as const, message: 'No.' }
  const error = new MutationRejected(rejection)
  expect(error).toBeInstanceOf(Error)
  expect(error).toMatchObject({ name: 'MutationRejected', message: 'No.', rejection })
})
