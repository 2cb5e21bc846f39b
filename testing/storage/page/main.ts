import { eq } from 'drizzle-orm'
import { pgTable, text } from 'drizzle-orm/pg-core'
import { drizzle } from 'drizzle-orm/pglite'
import type { Replica } from '../../../client/index.ts'
import { openReplica } from '../../../dist/client/index.js'
import { garbleFile, readOpfs, tearList } from './damage-opfs.ts'

/** A replica as it was opened, or the fault that kept it from being opened. */
export interface Opening {
  readonly fault: { readonly kind: string; readonly message: string } | null
  readonly pending?: number
  readonly failed?: number
  readonly rebuilt?: string | null
  readonly unprotected?: string | null
  /** What became of all mutations, in their order. */
  readonly statuses?: readonly string[]
}

/** Everything that the page leaves on its window. */
export interface StoragePage {
  replica: Replica
  /** Opens the replica of one user, which talks to the server of the page; null is the default storage. */
  openStorage(storage: string | null): Promise<void>
  /** Opens it, and answers how that went. */
  tryStorage(storage: string | null): Promise<Opening>
  /** Leaves a mutation that failed, one that was sent without an answer, and one that was not sent. */
  writeAllKinds(): Promise<void>
  /** Renames a note by drizzle, in a transaction, and answers its title as drizzle and its live query read it. */
  renameByDrizzle(id: string, title: string): Promise<(string | null | undefined)[]>
  /** Removes the databases of the origin and leaves everything else; answers the names of what is left. */
  loseDatabases(): Promise<string[]>
  /** Answers the names of all databases and files that the origin has. */
  namesOfOrigin(): Promise<string[]>
  garbleFile: typeof garbleFile
  readOpfs: typeof readOpfs
  tearList: typeof tearList
}

async function openStorage(storage: string | null): Promise<void> {
  const options = { url: location.origin, user: 'ann', token: async () => 'token', sync: { tables: {} } }
  Object.assign(window, { replica: await openReplica(storage === null ? options : { ...options, storage }) })
}

const opened = () => (window as unknown as StoragePage).replica

async function tryStorage(storage: string | null): Promise<Opening> {
  try {
    await openStorage(storage)
  } catch (error) {
    const { kind = 'none', message } = error as Error & { kind?: string }
    return { fault: { kind, message } }
  }
  const { pending, failed, rebuilt, unprotected } = opened().status
  const { rows } = await opened().db.query<{ status: string }>(
    `SELECT status FROM tidemark.mutation_status ORDER BY split_part(id, ':', 2)::bigint`,
  )
  return { fault: null, pending, failed, rebuilt, unprotected, statuses: rows.map(({ status }) => status) }
}

async function writeAllKinds(): Promise<void> {
  const replica = opened()
  const write = (title: string, id: string) =>
    replica.transaction((tx) => tx.query('UPDATE note SET title = $1 WHERE id = $2', [title, id]))
  const statusOf = async (id: unknown) => (await replica.mutation(String(id)))?.status
  await replica.ready
  await (await write('refused', '1')).confirmed.catch(() => undefined)
  const { id } = await write('sent', '1')
  while ((await statusOf(id)) !== 'sent') await new Promise((resolve) => setTimeout(resolve, 20))
  replica.goOffline()
  await write('pending', '2')
}

async function namesOfOrigin(): Promise<string[]> {
  const names: string[] = []
  const root = await navigator.storage.getDirectory()
  for await (const name of root.keys()) names.push(name)
  for (const { name = '' } of await indexedDB.databases()) names.push(name)
  return names.sort()
}

const note = pgTable('note', { id: text('id').primaryKey(), title: text('title') })

async function renameByDrizzle(id: string, title: string): Promise<(string | null | undefined)[]> {
  const { replica } = window as unknown as StoragePage
  const db = drizzle(replica.db)
  await db.transaction((tx) => tx.update(note).set({ title }).where(eq(note.id, id)))
  const query = db.select().from(note).where(eq(note.id, id))
  const store = replica.live(query)
  const shown = await new Promise<string | null | undefined>((resolve) => {
    const stop = store.subscribe(() => {
      resolve(store.getSnapshot().rows?.[0]?.title)
      stop()
    })
  })
  return [(await drizzle({ client: replica.db }).select().from(note).where(eq(note.id, id)))[0]?.title, shown]
}

async function loseDatabases(): Promise<string[]> {
  const root = await navigator.storage.getDirectory()
  for await (const [name, handle] of root.entries())
    if (handle.kind === 'directory') await root.removeEntry(name, { recursive: true })
  for (const { name = '' } of await indexedDB.databases())
    if (name.startsWith('/pglite/')) await removed(indexedDB.deleteDatabase(name))
  return namesOfOrigin()
}

function removed(request: IDBOpenDBRequest): Promise<void> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve()
    request.onerror = () => reject(request.error)
  })
}

Object.assign(window, {
  openStorage,
  tryStorage,
  writeAllKinds,
  loseDatabases,
  namesOfOrigin,
  garbleFile,
  readOpfs,
  tearList,
  renameByDrizzle,
})
