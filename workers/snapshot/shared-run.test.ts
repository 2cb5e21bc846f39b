import { describe, expect, test } from 'vitest'
import { SharedRun } from './shared-run.ts'

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
