import { describe, expect, test } from 'vitest'
import { knownSchema, outcomeOf } from './known-mutation.ts'

const rejection = { kind: 'refused' as const, message: 'No.', code: 'no' }

describe('what is stored is what is answered', () => {
  test('PSH-R1 OUT-02 as committed, or with the reason that it was rejected for', () => {
    expect(outcomeOf(7, 'd', { digest: 'd', status: 'committed', rejection: null })).toEqual({
      counter: 7,
      status: 'committed',
    })
    expect(outcomeOf(7, 'd', { digest: 'd', status: 'rejected', rejection })).toEqual({
      counter: 7,
      status: 'rejected',
      rejection,
    })
  })

  test('PSH-R2 OUT-26 as settled where the client stored it long ago, never as committed', () => {
    expect(outcomeOf(7, 'd', { settled: true })).toEqual({ counter: 7, status: 'settled' })
  })

  test.each(['committed', 'rejected'] as const)(
    'PSH-R1 not to another mutation under a number that was %s',
    (status) => {
      const known = { digest: 'd', status, rejection: status === 'rejected' ? rejection : null }
      const outcome = outcomeOf(7, 'other', known)
      expect(outcome).toMatchObject({ counter: 7, status: 'rejected', rejection: { kind: 'id-taken' } })
      // The other one’s reason is not this one’s to know.
      expect(JSON.stringify(outcome)).not.toContain('No.')
    },
  )
})

test('what the database answers is read by its form', () => {
  expect(knownSchema.parse({ settled: true })).toEqual({ settled: true })
  expect(knownSchema.safeParse({ digest: 'd', status: 'committed', rejection: null }).success).toBe(true)
  for (const wrong of [
    { settled: false },
    { digest: 'd', status: 'pending', rejection: null },
    { digest: 'd', status: 'committed' },
    null,
  ])
    expect(knownSchema.safeParse(wrong).success).toBe(false)
})
