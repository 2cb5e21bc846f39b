import { afterAll, beforeAll } from 'vitest'

/**
 * Makes something before the first test of the suite and ends it after the last. What it answers stands in for what is
 * made, so that tests hold it as a constant.
 */
export function useForSuite<T extends object>(make: () => Promise<T>, end: (made: T) => Promise<unknown>): T {
  let made: T | null = null
  beforeAll(async () => {
    made = await make()
  })
  // What could not be made needs no end, and the fault of its making is the one to be told.
  afterAll(async () => {
    if (made !== null) await end(made)
  })
  const target = (): T => {
    if (made === null) throw new Error('This is there only once the tests of the suite have begun.')
    return made
  }
  return new Proxy({} as T, {
    get: (_, key) => {
      const value: unknown = Reflect.get(target(), key)
      // A method sees what is its own only as a method of what was made.
      return typeof value === 'function' ? value.bind(made) : value
    },
    set: (_, key, value) => Reflect.set(target(), key, value),
  })
}
