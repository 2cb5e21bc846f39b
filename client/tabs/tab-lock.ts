import { noLocksFault } from '../store/storage-lock.ts'
import { tabLock } from './tab-messages.ts'

/** A tab's id, and its lock. */
export interface TabLock {
  readonly tab: string
  readonly release: () => void
}

/** Holds the tab's own lock until it is released or the tab ends: so its end is known. */
export function lockTab(tab: string): Promise<TabLock> {
  if (!navigator.locks) return Promise.reject(noLocksFault())
  return new Promise((resolve, reject) => {
    const hold = () => new Promise<void>((release) => resolve({ tab, release }))
    navigator.locks.request(tabLock(tab), hold).catch(reject)
  })
}
