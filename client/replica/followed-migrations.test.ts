import { expect, test, vi } from 'vitest'
import { TidemarkError } from '../../protocol/index.ts'
import { FollowedMigrations } from './followed-migrations.ts'
import { NO_MIGRATIONS } from './status.ts'

const corrupt = new TidemarkError('corrupt', 'A chunk is damaged.')

test('MIG-R9 the pause before the next load ends when the app asks for it, or the load is not wanted any more', async () => {
  const followed = new FollowedMigrations(NO_MIGRATIONS, () => undefined)
  const controller = new AbortController()
  await followed.pause(controller.signal)
  followed.noteFailure(2, corrupt)
  vi.spyOn(Math, 'random').mockReturnValue(1000)
  const first = followed.pause(controller.signal)
  expect(followed.forgetFailures()).toBe(true)
  await first
  expect(followed.forgetFailures()).toBe(false)
  followed.noteFailure(2, corrupt)
  const second = followed.pause(controller.signal)
  controller.abort()
  await second
  vi.restoreAllMocks()
})

test('MIG-R9 what failed is counted by version, and given up where it fails for reasons of its own', () => {
  let status = NO_MIGRATIONS
  const followed = new FollowedMigrations(NO_MIGRATIONS, (changed) => {
    status = changed
  })
  followed.notePending([2, 3, 3])
  expect(status.pending).toEqual([2, 3])
  followed.noteFault(2, 'no such type')
  expect(status).toMatchObject({ fault: 'no such type', failed: { version: 2, error: 'no such type', retries: 0 } })
  for (let failures = 1; failures <= 6; failures++) {
    expect(followed.givenUp).toBeNull()
    followed.noteFailure(2, corrupt)
  }
  expect(followed.givenUp?.message).toContain('A chunk is damaged.')
  expect(status.failed?.retries).toBe(6)
  followed.noteFailure(3, corrupt)
  expect([status.failed?.retries, followed.givenUp]).toEqual([0, null])
})
