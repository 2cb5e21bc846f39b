import { describe, expect, it } from 'vitest'
import { TidemarkError } from '../protocol/index.ts'
import { errorFrom, forRemote } from './typed-error.ts'

describe('errors at an entry', () => {
  it('DIS-R16 keep their kind across objects, with or without a cause', () => {
    const remote = Object.assign(new Error('TidemarkError: Busy.'), { remote: true })
    expect(errorFrom(Object.assign(remote, { kind: 'limit-exceeded' }))).toMatchObject({
      kind: 'limit-exceeded',
      message: 'Busy.',
    })
    expect(errorFrom(new Error('TidemarkError: Cut.'))).toMatchObject({ kind: 'unavailable', message: 'Cut.' })
    expect(errorFrom(Object.assign(new Error('x'), { kind: 'constructor' }))).toMatchObject({ kind: 'internal' })
    const local = new TidemarkError('unavailable', 'Cut.', { cause: new Error('value 42') })
    expect(errorFrom(local)).toBe(local)
    expect(forRemote(local)).toMatchObject({ kind: 'unavailable', message: 'Cut.' })
    expect((forRemote(local) as Error).cause).toBeUndefined()
  })

  it('SEC-06 tell nothing of what is ours alone', () => {
    const typed = (['misconfigured', 'schema-drift'] as const).map((kind) => new TidemarkError(kind, 'secret'))
    for (const error of [new Error('secret'), 'secret', null, ...typed]) {
      expect(errorFrom(error).message).not.toContain('secret')
    }
  })
})
