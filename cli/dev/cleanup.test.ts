import { expect, test } from 'vitest'
import { Cleanup } from './cleanup.ts'

test('CLI-R8 steps run last first and once; one added late runs at once', async () => {
  const cleanup = new Cleanup()
  const ran: string[] = []
  const step = (name: string) => async () => {
    ran.push(name)
  }
  cleanup.add(step('first'))
  cleanup.add(async () => {
    ran.push('second')
    cleanup.add(step('late'))
  })
  cleanup.add(step('third'))
  expect(cleanup.begun).toBe(false)
  await Promise.all([cleanup.run(), cleanup.run()])
  expect(cleanup.begun).toBe(true)
  expect(ran.toSorted()).toEqual(['first', 'late', 'second', 'third'])
  expect(ran.slice(0, 2)).toEqual(['third', 'second'])
  cleanup.add(step('after the end'))
  await cleanup.run()
  expect(ran.at(-1)).toBe('after the end')
})
