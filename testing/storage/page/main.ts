import type { Replica } from '../../../client/index.ts'
import { openReplica } from '../../../dist/client/index.js'

/** Everything that the page leaves on its window. */
export interface StoragePage {
  replica: Replica
  /** Opens the replica of one user, which talks to the server of the page. */
  openStorage(storage: string): Promise<void>
  /** Removes the databases of the origin and leaves everything else; answers the names of what is left. */
  loseDatabases(): Promise<string[]>
}

async function openStorage(storage: string): Promise<void> {
  const options = { url: location.origin, user: 'ann', token: async () => 'token', sync: { tables: {} }, storage }
  Object.assign(window, { replica: await openReplica(options) })
}

async function loseDatabases(): Promise<string[]> {
  const left: string[] = []
  const root = await navigator.storage.getDirectory()
  for await (const [name, handle] of root.entries()) {
    if (handle.kind === 'directory') await root.removeEntry(name, { recursive: true })
    else left.push(name)
  }
  for (const { name = '' } of await indexedDB.databases()) {
    if (name.startsWith('/pglite/')) await removed(indexedDB.deleteDatabase(name))
    else left.push(name)
  }
  return left
}

function removed(request: IDBOpenDBRequest): Promise<void> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve()
    request.onerror = () => reject(request.error)
  })
}

Object.assign(window, { openStorage, loseDatabases })
