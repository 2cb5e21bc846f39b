import { expect, test } from 'vitest'
import { until } from '../../testing/system/until.ts'
import { PacedLooks } from './paced-looks.ts'

/** Looks that end when the test says so. */
function controlled(isAwaited: () => boolean = () => true) {
  const open: { resolve: () => void; reject: (error: Error) => void }[] = []
  const world = { begun: 0 }
  const looks = new PacedLooks({
    waitForTurn: async () => undefined,
    look: () => {
      world.begun += 1
      return new Promise<void>((resolve, reject) => open.push({ resolve, reject }))
    },
    isAwaited,
  })
  const take = async () => {
    await until(() => open.length > 0)
    return open.shift()
  }
  return {
    looks,
    world,
    end: async () => (await take())?.resolve(),
    fail: async () => (await take())?.reject(new Error('gone')),
  }
}

test('whatever is asked for during a look is one look more', async () => {
  const { looks, world, end } = controlled()
  const first = looks.lookSoon()
  await until(() => world.begun === 1)
  const others = [looks.lookSoon(), looks.lookSoon(), looks.lookSoon()]
  await end()
  await end()
  await Promise.all([first, ...others])
  expect(world.begun).toBe(2)
})

test('a look rests after another one until somebody waits for it', async () => {
  let isAwaited = false
  const { looks, world, end } = controlled(() => isAwaited)
  const first = looks.lookSoon()
  await until(() => world.begun === 1)
  void looks.lookSoon()
  const second = looks.lookSoon()
  isAwaited = true
  await end()
  await end()
  await Promise.all([first, second])
  expect(world.begun).toBe(2)
})

test('a look that fails ends its run, and the next one begins anew', async () => {
  const { looks, world, end, fail } = controlled()
  const failing = looks.lookSoon()
  await fail()
  await expect(failing).rejects.toThrow('gone')
  const next = looks.lookSoon()
  await end()
  await next
  expect(world.begun).toBe(2)
})

test('it is idle once the look in hand has ended, also by a fault', async () => {
  const { looks, world, fail } = controlled()
  looks.lookSoon().catch(() => undefined)
  await until(() => world.begun === 1)
  const idle = looks.whenIdle()
  await fail()
  await idle
  await looks.whenIdle()
  expect(world.begun).toBe(1)
})
