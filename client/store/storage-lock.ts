import { TidemarkError } from '../../protocol/index.ts'
import type { Release } from './lock-file.ts'
import { isServerRuntime } from './runtime.ts'
import { dataDirOf, type Storage } from './storage-name.ts'

/**
 * Holds a storage for this page or process alone. Throws `already-open`, and touches nothing, where another holds it.
 *
 * In a browser it is a Web Lock, which ends with its page however that ends; in Node a socket beside the directory.
 */
export async function lockStorage(storage: Storage): Promise<Release> {
  if (storage.kind === 'memory') return async () => undefined
  if (isServerRuntime()) {
    const { lockFile } = await import('./lock-file.ts')
    return lockFile(`${storage.name}.lock`)
  }
  return webLock(`tidemark:${dataDirOf(storage)}`)
}

function webLock(name: string): Promise<Release> {
  const { locks } = navigator
  if (!locks) {
    throw new TidemarkError(
      'storage',
      'This browser has no Web Locks, or the page is not served securely: use https or memory://.',
    )
  }
  return new Promise((resolve, reject) => {
    const held = locks.request(name, { ifAvailable: true }, (lock) => {
      if (lock === null) {
        reject(
          new TidemarkError(
            'already-open',
            'This replica is open in another tab of this browser: use that one, or close it.',
          ),
        )
        return undefined
      }
      return new Promise<void>((release) => {
        resolve(async () => {
          release()
          await held
        })
      })
    })
    held.catch(reject)
  })
}
