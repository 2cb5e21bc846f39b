import { FORMAT } from '../../store/own-format.ts'

/** What decides which of two versions of an app, open in two tabs, is the newer. */
export interface Bundle {
  /** `TABS_PROTOCOL` of its library. */
  readonly tabs: number
  /** The format of the replica's own schema. */
  readonly store: number
  /** The last migration that its module names; null where it names none. */
  readonly migration: string | null
}

/** Grows with every change of what tabs say to each other; a tab follows only a leader that says the same. */
export const TABS_PROTOCOL = 2

/** The bundle of this library with a sync module. */
export const bundleOf = ({ migration = null }: { readonly migration?: string | null }): Bundle => ({
  tabs: TABS_PROTOCOL,
  store: FORMAT,
  migration,
})

/** Answers a number below, at or above zero, as `a` is older, the same or newer. */
export function compareBundles(a: Bundle, b: Bundle): number {
  if (a.tabs !== b.tabs) return a.tabs - b.tabs
  if (a.store !== b.store) return a.store - b.store
  const [of, other] = [a.migration ?? '', b.migration ?? '']
  return of === other ? 0 : of < other ? -1 : 1
}

/** Answers whether a worker that waits would lead better than one that was granted the lock. */
export function leadsBetter(
  waiting: { readonly bundle: Bundle; readonly isVisible: boolean },
  granted: { readonly bundle: Bundle; readonly isVisible: boolean },
): boolean {
  const order = compareBundles(waiting.bundle, granted.bundle)
  return order > 0 || (order === 0 && waiting.isVisible && !granted.isVisible)
}
