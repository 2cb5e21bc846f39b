import { describe, expect, it } from 'vitest'
import { duration, percentile, rate } from './measure.ts'

describe('figures of the benchmark', () => {
  it('takes percentiles by nearest rank, whatever the order', () => {
    const values = [5, 1, 4, 2, 3]
    expect([percentile(values, 0.5), percentile(values, 0.99), percentile([7], 0.01)]).toEqual([3, 5, 7])
  })

  it('holds rates to a floor, times to a ceiling, and neither without a target', () => {
    expect(rate('r', 100, 500, 'rows/s', 200, '')).toMatchObject({ value: 200, ok: true })
    expect(rate('r', 100, 500, 'rows/s', 201, '')).toMatchObject({ ok: false })
    expect(duration('d', 10.04, 10, '')).toMatchObject({ value: 10, ok: true })
    expect(duration('d', 11, null, '')).toMatchObject({ ok: null })
  })
})
