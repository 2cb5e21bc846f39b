import fc from 'fast-check'
import { expect, test } from 'vitest'
import { laneName } from './lane-name.ts'

test('PSH-R14 every user has one of four lanes, whatever the id', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (user) => {
      expect(['push-0', 'push-1', 'push-2', 'push-3']).toContain(laneName(user))
    }),
  )
})

test('PSH-R14 ids that differ in their last letters have any of the lanes', () => {
  const users = Array.from({ length: 40 }, (_, place) => `user-${place}`)
  expect(new Set(users.map(laneName)).size).toBe(4)
})

test('PSH-R14 users share the lanes about evenly', () => {
  const lanes = new Map<string, number>()
  for (let user = 0; user < 4_000; user += 1) {
    const lane = laneName(`user-${user}`)
    lanes.set(lane, (lanes.get(lane) ?? 0) + 1)
  }
  expect([...lanes.values()].filter((count) => count > 500)).toHaveLength(4)
})
