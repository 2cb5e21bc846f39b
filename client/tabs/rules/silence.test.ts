import { expect, test } from 'vitest'
import { Silence } from './silence.ts'

test('TAB-R9 silence grows from look to look, and ends with a sign', () => {
  const silence = new Silence(1_000)
  expect([1_500, 2_000, 2_500].map((nowMs) => silence.look(nowMs))).toEqual([500, 1_000, 1_500])
  silence.hear()
  expect(silence.look(3_000)).toBe(500)
})

test('TAB-R9 TAB-03 a tab that slept for a minute, or whose clock was set, has not listened for so long', () => {
  const silence = new Silence(0)
  silence.look(500)
  expect(silence.look(60_500)).toBe(2_500)
  expect(silence.look(30_000)).toBe(2_500)
  expect(silence.look(30_500)).toBe(3_000)
})
