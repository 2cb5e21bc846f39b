import { describe, expect, test } from 'vitest'
import { epochCause } from './epoch-causes.ts'

describe('the cause of an epoch', () => {
  test.each([
    ['slot-lost: wal_removed', /max_slot_wal_keep_size/],
    ['slot-missing', /dropped, or the database is a copy/],
    ['restored', /put back to an earlier state/],
    ['log-went-back', /put back to an earlier state/],
    ['timeline-changed', /restored or is another branch/],
    ['system-changed', /restored or is another branch/],
    ['slot-moved', /one of their own/],
    ['publication-lacked 2 tables', /publication tidemark was altered/],
  ])('EPO-R1 %s is told with what to do', (reason, words) => {
    expect(epochCause(reason)).toMatch(words)
  })

  test('EPO-R1 a reason that nobody knows is shown alone', () => {
    expect(epochCause('something else')).toBe('')
  })
})
