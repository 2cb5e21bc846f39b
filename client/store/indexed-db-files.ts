import { answerOf } from './indexed-db.ts'
import type { JournalFiles, Slot } from './journal-files.ts'

const PIECES = 'pieces'

const nameOf = (storage: string) => `tidemark-journal/${storage}`

export async function hasIndexedDbFiles(storage: string): Promise<boolean> {
  return (await indexedDB.databases()).some(({ name }) => name === nameOf(storage))
}

/** Opens the journal's own database, beside the one that PGlite keeps: it holds a piece for each append, in order. */
export async function openIndexedDbFiles(storage: string): Promise<JournalFiles> {
  const name = nameOf(storage)
  let db: IDBDatabase | null = null
  /** True while nothing was written since the database was made: an append would follow nothing. */
  let isEmpty = false

  async function openOnce(): Promise<IDBDatabase> {
    if (db) return db
    const request = indexedDB.open(name)
    request.onupgradeneeded = () => {
      isEmpty = true
      request.result.createObjectStore(PIECES, { autoIncrement: true }).createIndex('slot', 'slot')
    }
    db = await answerOf(request)
    // If the browser takes it away, the next call opens it anew or fails with the reason.
    db.onclose = () => {
      db = null
    }
    return db
  }

  async function write(slot: Slot, bytes: Uint8Array, isAnew: boolean): Promise<void> {
    const opened = await openOnce()
    if (isEmpty && !isAnew) throw new Error('The storage of the journal was cleared.')
    const transaction = opened.transaction(PIECES, 'readwrite', { durability: 'strict' })
    const pieces = transaction.objectStore(PIECES)
    if (isAnew) for (const key of await answerOf(pieces.index('slot').getAllKeys(slot))) pieces.delete(key)
    if (bytes.length > 0) pieces.add({ slot, bytes })
    await new Promise<void>((resolve, reject) => {
      transaction.oncomplete = () => resolve()
      transaction.onabort = () => reject(transaction.error)
      transaction.onerror = () => reject(transaction.error)
    })
    isEmpty = false
  }

  return {
    async read(slot) {
      const pieces = (await openOnce()).transaction(PIECES).objectStore(PIECES)
      const found: { readonly bytes: Uint8Array }[] = await answerOf(pieces.index('slot').getAll(slot))
      return concatenatePieces(found.map(({ bytes }) => bytes))
    },
    append: (slot, bytes) => write(slot, bytes, false),
    replace: (slot, bytes) => write(slot, bytes, true),
    async remove() {
      db?.close()
      db = null
      await answerOf(indexedDB.deleteDatabase(name))
    },
    async close() {
      db?.close()
      db = null
    },
  }
}

function concatenatePieces(pieces: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const piece of pieces) {
    bytes.set(piece, at)
    at += piece.length
  }
  return bytes
}
