import { TidemarkError } from '../../protocol/index.ts'
import type { Release } from './lock-file.ts'
import { isServerRuntime } from './runtime.ts'
import { dataDirOf, type Storage } from './storage-name.ts'

/** Storages that this page, worker or process is giving back. */
const closing = new Map<string, Promise<unknown>>()

/** Lets whoever opens a storage next, here, wait until it is given back. */
export async function whileClosing(storage: Storage, closed: Promise<void>): Promise<void> {
  const name = dataDirOf(storage)
  closing.set(name, closed)
  try {
    await closed
  } finally {
    if (closing.get(name) === closed) closing.delete(name)
  }
}

/**
 * Holds a storage for this page, worker or process alone. Throws `already-open`, and touches nothing, where another holds it,
 * in a browser for as long as `waitMs`; one that is being closed here is waited for.
 *
 * In a browser it is a Web Lock, which ends with its page however that ends; in Node a socket beside the directory.
 */
export async function lockStorage(storage: Storage, waitMs = 0): Promise<Release> {
  if (storage.kind === 'memory') return async () => undefined
  await closing.get(dataDirOf(storage))?.catch(() => undefined)
  if (isServerRuntime()) {
    const { lockFile } = await import('./lock-file.ts')
    return lockFile(`${storage.name}.lock`)
  }
  return webLock(`tidemark:${dataDirOf(storage)}`, waitMs)
}

async function webLock(name: string, waitMs: number): Promise<Release> {
  const { locks } = navigator
  if (!locks) throw noLocksFault()
  const options = waitMs > 0 ? { signal: AbortSignal.timeout(waitMs) } : { ifAvailable: true }
  return new Promise((resolve, reject) => {
    const refuse = () =>
      reject(
        new TidemarkError(
          'already-open',
          'This replica is open in another tab of this browser: use that one, or close it.',
        ),
      )
    const held = locks.request(name, options, (lock) => {
      if (lock === null) return refuse()
      return new Promise<void>((release) => {
        resolve(async () => {
          release()
          await held
        })
      })
    })
    held.catch((error: unknown) =>
      error instanceof DOMException && error.name === 'TimeoutError' ? refuse() : reject(error),
    )
  })
}

export const noLocksFault = () =>
  new TidemarkError(
    'storage',
    'This browser has no Web Locks, or the page is not served securely: use https or memory://.',
  )
