import type { LiveStore } from '../live/live-rows.ts'

/** A component that waited for its first rows subscribes within this time of having them. */
const MOUNTED_WITHIN_MS = 5_000

const waits = new WeakMap<LiveStore<unknown>, Promise<void>>()

/**
 * Resolves when a live query has its first answer, of whatever kind; the same promise until then, for a component that
 * React renders again and again while it waits.
 */
export function firstRows(store: LiveStore<unknown>): Promise<void> {
  const waiting = waits.get(store)
  if (waiting) return waiting
  const done = new Promise<void>((resolve) => {
    const check = () => {
      const { rows, error } = store.getSnapshot()
      if (rows === null && error === null) return
      waits.delete(store)
      // The query goes on, so that its rows are still there when the component is.
      setTimeout(stop, MOUNTED_WITHIN_MS)
      resolve()
    }
    const stop = store.subscribe(check)
    check()
  })
  const { rows, error } = store.getSnapshot()
  if (rows === null && error === null) waits.set(store, done)
  return done
}
