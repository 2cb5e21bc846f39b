import type { JournalFiles } from './journal-files.ts'
import { isServerRuntime } from './runtime.ts'
import type { Storage } from './storage-name.ts'

/** Answers whether a storage has a journal, whatever has become of its database. Nothing is opened. */
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

/** Opens the journal's files of a storage that the caller holds; null for memory, which outlives nothing. */
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
