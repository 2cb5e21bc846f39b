import { describe, expect, it } from 'vitest'
import { figure, percentile } from './measure.ts'

describe('figures of the benchmark', () => {
  it('takes percentiles by nearest rank, whatever the order', () => {
    const values = [5, 1, 4, 2, 3]
    expect([percentile(values, 0.5), percentile(values, 0.99), percentile([7], 0.01)]).toEqual([3, 5, 7])
  })

  it('holds figures to a floor, to a ceiling, or to nothing, before they are rounded', () => {
    expect(figure('r', 199.6, 'rows/s', { atLeast: 200 }, '')).toMatchObject({ value: 200, target: 200, ok: false })
    expect(figure('d', 10.04, 'ms', { atMost: 10 }, '')).toMatchObject({ value: 10, ok: false })
    expect(figure('d', 11.26, 'ms', null, '')).toMatchObject({ value: 11.3, target: null, ok: null })
  })
})
