import type { StorageKind } from './storage-name.ts'

/**
 * Asks the browser, once, not to clear this origin's storage by itself; some ask their user. Resolves to whether it promised,
 * or null where there is nobody to ask: in Node and Bun, in a worker, for memory. Never rejects.
 */
export async function askPersistence(kind: StorageKind): Promise<boolean | null> {
  if (kind === 'memory' || kind === 'path') return null
  try {
    const { storage } = navigator
    if (typeof storage?.persist !== 'function') return null
    return (await storage.persisted()) || (await storage.persist())
  } catch {
    return null
  }
}
