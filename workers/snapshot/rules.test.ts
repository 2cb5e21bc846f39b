import { describe, expect, test } from 'vitest'
import { asLsn } from '../../protocol/index.ts'
import { BUILD_ATTEMPTS, buildDelayMs, outOfPatience, waitsForCapture } from './build-patience.ts'
import { type FinishedBuild, isFresh, type Present } from './freshness.ts'
import { SharedRun } from './shared-run.ts'

const BUILD: FinishedBuild = {
  id: 'b',
  audience: 'org:1',
  epoch: 'e',
  definitionVersion: 3,
  definitionHash: 'h',
  start: asLsn('00000000000a0000'),
  startedAtMs: 1_000,
}
const PRESENT: Present = { epoch: 'e', floor: asLsn('00000000000a0000'), definitionVersion: 3, definitionHash: 'h' }

describe('how long a snapshot holds', () => {
  test('SNP-R6 SNP-06 as long as epoch, definition and floor are what they were, up to its age', () => {
    expect(isFresh(BUILD, 'org:1', PRESENT, 1_999, 1_000)).toBe(true)
    expect(isFresh(BUILD, 'org:1', PRESENT, 2_000, 1_000)).toBe(false)
  })

  test.each<[string, Partial<Present>]>([
    ['another epoch', { epoch: 'f' }],
    ['no epoch', { epoch: null }],
    ['another definition', { definitionHash: 'i' }],
    ['another version', { definitionVersion: 4 }],
    ['a floor past its start', { floor: asLsn('00000000000a0008') }],
  ])('SNP-R6 SNP-13 not with %s', (_, change) => {
    expect(isFresh(BUILD, 'org:1', { ...PRESENT, ...change }, 1_500, 1_000)).toBe(false)
  })

  test('SNP-R6 SEC-02 not for another audience', () => {
    expect(isFresh(BUILD, 'org:2', PRESENT, 1_500, 1_000)).toBe(false)
  })
})

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

describe('one run for many', () => {
  function gated() {
    const releases: ((value: number) => void)[] = []
    let started = 0
    const run = new SharedRun(() => {
      started += 1
      return new Promise<number>((resolve) => releases.push(resolve))
    })
    return { run, release: (index: number) => releases[index]?.(index), started: () => started }
  }

  test('SNP-R6 SNP-06 who asks during a run shares the next one, which began after he asked', async () => {
    const { run, release, started } = gated()
    const first = run.get()
    const later = [run.get(), run.get(), run.get()]
    expect(started()).toBe(1)
    release(0)
    expect(await first).toBe(0)
    expect(started()).toBe(2)
    const last = run.get()
    release(1)
    expect(await Promise.all(later)).toEqual([1, 1, 1])
    expect(started()).toBe(3)
    release(2)
    expect(await last).toBe(2)
    await Promise.resolve()
    void run.get()
    expect(started()).toBe(4)
  })

  test('SNP-R6 a failed run fails those who shared it; the next starts anew', async () => {
    let runs = 0
    const run = new SharedRun(async () => {
      runs += 1
      if (runs < 3) throw new Error(`run ${runs}`)
      return runs
    })
    const outcomes = await Promise.allSettled([run.get(), run.get(), run.get()])
    expect(outcomes.map((outcome) => outcome.status)).toEqual(['rejected', 'rejected', 'rejected'])
    expect(await run.get()).toBe(3)
  })
})
