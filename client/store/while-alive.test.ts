import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { Alive } from './life-signs.ts'
import { whileAlive } from './while-alive.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

/** Something that starts when it is told to. */
function aStart() {
  const { promise, resolve } = Promise.withResolvers<string>()
  let alive: Alive = () => undefined
  const tooLate: string[] = []
  const heard: number[] = []
  const awaited = whileAlive(
    (sign) => {
      alive = sign
      return promise
    },
    (result) => void tooLate.push(result),
    { alive: (signs) => void heard.push(signs) },
  ).catch((error: unknown) => error)
  return { awaited, tooLate, heard, resolve, alive: (signs: number) => alive(signs) }
}

test('FLD-99 HYD-R12 what gives signs of life may take however long', async () => {
  const start = aStart()
  for (let minute = 0; minute < 60; minute++) {
    await vi.advanceTimersByTimeAsync(59_000)
    start.alive(minute)
  }
  start.resolve('started')
  expect(await start.awaited).toBe('started')
  expect(start.heard).toHaveLength(60)
})

test('FLD-99 HYD-R12 what gives none for a minute ends as stalled, and is let go of when it comes after all', async () => {
  const start = aStart()
  await vi.advanceTimersByTimeAsync(30_000)
  start.alive(1)
  await vi.advanceTimersByTimeAsync(59_999)
  start.alive(2)
  await vi.advanceTimersByTimeAsync(60_000)
  const fault = await start.awaited
  expect(fault).toMatchObject({ kind: 'stalled', retry: 'retry' })
  expect((fault as Error).message).toContain('no sign of life for 60 s')
  start.alive(3)
  start.resolve('too late')
  await vi.advanceTimersByTimeAsync(0)
  expect([start.heard, start.tooLate]).toEqual([[1, 2], ['too late']])
})
