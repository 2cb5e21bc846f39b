import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Progress } from './progress.ts'

test('FLD-105 HYD-R13 from the call to ready the number only grows, whatever begins anew', () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant('opening' as const), signs: fc.nat(100_000) }),
    fc.record({ kind: fc.constant('opened' as const) }),
    fc.record({ kind: fc.constant('loading' as const), done: fc.nat(1_000), total: fc.nat(1_000) }),
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const progress = new Progress()
      let before = 0
      for (const one of steps) {
        if (one.kind === 'opening') progress.noteOpening(one.signs)
        if (one.kind === 'opened') progress.noteOpened()
        if (one.kind === 'loading') progress.noteLoading(one.done, one.total)
        expect(progress.reached).toBeGreaterThanOrEqual(before)
        expect(progress.reached).toBeLessThan(1)
        before = progress.reached
      }
      progress.noteReady()
      expect(progress.reached).toBe(1)
    }),
  )
})

test('FLD-105 HYD-R13 a second snapshot moves the number from where the first one left it', () => {
  const progress = new Progress()
  progress.noteOpened()
  progress.noteLoading(0, 100)
  progress.noteLoading(80, 100)
  const left = progress.reached
  progress.noteLoading(0, 400)
  expect(progress.reached).toBe(left)
  progress.noteLoading(100, 400)
  const quarter = progress.reached
  expect(quarter).toBeGreaterThan(left)
  // The same load goes on after the connection broke.
  progress.noteLoading(100, 400)
  expect(progress.reached).toBe(quarter)
  progress.noteLoading(400, 400)
  expect(progress.reached).toBe(0.95)
})
