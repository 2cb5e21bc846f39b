import fc from 'fast-check'
import { expect, test } from 'vitest'
import { confirmedNotice, NOTIFY_OUTBOX, OUTBOX_CHANNEL, readNotice } from './outbox-notice.ts'

const counter = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER })

test('OBX-R9 a notice names all that was confirmed, or says nothing of any of them', () => {
  fc.assert(
    fc.property(fc.array(counter, { minLength: 1, maxLength: 900 }), (counters) => {
      const notice = confirmedNotice(counters)
      // Postgres takes no longer one.
      expect(new TextEncoder().encode(notice).length).toBeLessThan(8_000)
      const { confirmed, mayHaveEnded } = readNotice(notice)
      expect(confirmed).toEqual(mayHaveEnded ? [] : counters)
    }),
  )
})

test('OBX-R9 so many as fit are named, of more it is to be asked', () => {
  const many = (count: number) => Array.from({ length: count }, (_, index) => 1_000_000 + index)
  expect(readNotice(confirmedNotice(many(800)))).toEqual({ confirmed: many(800), mayHaveEnded: false })
  expect(readNotice(confirmedNotice(many(1_000)))).toEqual({ confirmed: [], mayHaveEnded: true })
})

test('the notice that mutations changed says that any may have ended', () => {
  expect(NOTIFY_OUTBOX).toContain(`'${OUTBOX_CHANNEL}', ''`)
  expect(readNotice('')).toEqual({ confirmed: [], mayHaveEnded: true })
})

test('the notice of a new mutation, which is its counter, says that none has ended', () => {
  expect(readNotice('7')).toEqual({ confirmed: [], mayHaveEnded: false })
})
