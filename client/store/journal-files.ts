import { isServerRuntime } from './runtime.ts'
import type { Storage } from './storage-name.ts'

/** Which of a journal's two files: while one is in force the next is begun in the other. */
export type Slot = 0 | 1

/** Where a journal lies. Each call rejects with what the device says; what was there before stays readable. */
export interface JournalFiles {
  /** Empty of one that is not there. */
  read(slot: Slot): Promise<Uint8Array>
  append(slot: Slot, bytes: Uint8Array<ArrayBuffer>): Promise<void>
  /** Puts these bytes in the place of all that is there. */
  replace(slot: Slot, bytes: Uint8Array<ArrayBuffer>): Promise<void>
  /** Removes both. */
  remove(): Promise<void>
  close(): Promise<void>
}

/** Whether a storage has a journal, whatever has become of its database. Nothing is opened. */
export async function hasJournal(storage: Storage): Promise<boolean> {
  switch (storage.kind) {
    case 'memory':
      return false
    case 'path': {
      const { hasFolderFiles } = await import('./folder-files.ts')
      return hasFolderFiles(storage.name)
    }
    case 'opfs-ahp': {
      const { hasOpfsFiles } = await import('./opfs-files.ts')
      return hasOpfsFiles(storage.name)
    }
    case 'idb': {
      const { hasIndexedDbFiles } = await import('./indexed-db-files.ts')
      return hasIndexedDbFiles(storage.name)
    }
  }
}

/** The journal's files of a storage that the caller holds; null of memory, which outlives nothing. */
export async function journalFiles(storage: Storage): Promise<JournalFiles | null> {
  switch (storage.kind) {
    case 'memory':
      return null
    case 'path': {
      const { openFolderFiles } = await import('./folder-files.ts')
      return openFolderFiles(storage.name)
    }
    case 'opfs-ahp': {
      if (isServerRuntime()) return null
      const { openOpfsFiles } = await import('./opfs-files.ts')
      return openOpfsFiles(storage.name)
    }
    case 'idb': {
      const { openIndexedDbFiles } = await import('./indexed-db-files.ts')
      return openIndexedDbFiles(storage.name)
    }
  }
}
