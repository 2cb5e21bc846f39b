import { describe, expect, test } from 'vitest'
import { BUILD_ATTEMPTS, buildDelayMs, outOfPatience, waitsForCapture } from './build-patience.ts'

describe('patience', () => {
  test('SNP-R5 delays double to two seconds, with jitter that only shortens', () => {
    const full = Array.from({ length: BUILD_ATTEMPTS }, (_, attempt) => buildDelayMs(attempt, 0))
    expect(full).toEqual([100, 200, 400, 800, 1600, 2000, 2000, 2000, 2000, 2000, 2000, 2000])
    expect(buildDelayMs(3, 0.999)).toBeGreaterThanOrEqual(400)
  })

  test('SNP-R5 running out of it is told as unavailable, with the cause', () => {
    expect(outOfPatience('locked')).toMatchObject({ kind: 'unavailable', retry: 'retry' })
    expect(outOfPatience('no-epoch').message).toMatch(/capture has not begun/)
    expect(waitsForCapture('definition-ahead')).toBe(true)
    expect(waitsForCapture('locked')).toBe(false)
  })
})
