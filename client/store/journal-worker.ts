import type { Slot } from './journal-files.ts'
import { onceFree } from './storage-places.ts'

export interface JournalCall {
  readonly id: number
  readonly storage: string
  readonly what: 'read' | 'append' | 'replace' | 'remove' | 'close'
  readonly slot: Slot
  readonly bytes: Uint8Array
}

export interface JournalAnswer {
  readonly id: number
  readonly bytes: Uint8Array
  readonly error: string | null
}

/** A handle that only workers have, so that the types of a page lack it. */
interface SyncAccessHandle {
  getSize(): number
  read(into: Uint8Array, options: { readonly at: number }): number
  write(bytes: Uint8Array, options: { readonly at: number }): number
  truncate(size: number): void
  flush(): void
  close(): void
}

type WorkerFile = FileSystemFileHandle & { createSyncAccessHandle(): Promise<SyncAccessHandle> }

interface Place {
  readonly folder: FileSystemDirectoryHandle
  readonly own: string
}

const open = new Map<Slot, SyncAccessHandle>()
/** The folder of the journal, once it was looked for; a folder that is gone finds none of its files. */
let place: Place | null = null

async function folderOf(storage: string): Promise<Place> {
  const parts = storage.split('/').filter(Boolean)
  const own = parts.pop() ?? storage
  let folder = await navigator.storage.getDirectory()
  for (const part of parts) folder = await folder.getDirectoryHandle(part, { create: true })
  return { folder, own }
}

async function handleOf(storage: string, slot: Slot, create: boolean): Promise<SyncAccessHandle | null> {
  const known = open.get(slot)
  if (known) return known
  const { folder, own } = await folderOf(storage)
  const found = folder.getFileHandle(`${own}.journal-${slot}`, { create })
  const file = (await found.catch(unlessMissing)) as WorkerFile | undefined
  if (!file) return null
  const handle = await onceFree(() => file.createSyncAccessHandle())
  open.set(slot, handle)
  return handle
}

function write(handle: SyncAccessHandle, bytes: Uint8Array): void {
  const end = handle.getSize()
  for (let done = 0; done < bytes.length; ) {
    done += handle.write(bytes.subarray(done), { at: end + done })
  }
  handle.flush()
}

async function perform({ storage, what, slot, bytes }: JournalCall): Promise<Uint8Array> {
  const nothing = new Uint8Array()
  if (what === 'close' || what === 'remove') {
    for (const handle of open.values()) handle.close()
    open.clear()
  }
  if (what === 'close') return nothing
  if (what === 'remove') {
    for (const one of [0, 1] as const) await remove(storage, one)
    return nothing
  }
  if (what === 'replace' && bytes.length === 0) {
    await remove(storage, slot)
    return nothing
  }
  const handle = await handleOf(storage, slot, what !== 'read')
  if (!handle) return nothing
  if (what === 'read') {
    const content = new Uint8Array(handle.getSize())
    handle.read(content, { at: 0 })
    return content
  }
  if (what === 'append') {
    // The browser looks while the disk writes: neither is waited for twice.
    const there = requireThere(storage, slot)
    there.catch(() => undefined)
    write(handle, bytes)
    await there
    return nothing
  }
  if (what === 'replace') handle.truncate(0)
  write(handle, bytes)
  return nothing
}

/** Throws where the storage was cleared: what is written to a file that is gone is nowhere. */
async function requireThere(storage: string, slot: Slot): Promise<void> {
  try {
    place ??= await folderOf(storage)
    await place.folder.getFileHandle(`${place.own}.journal-${slot}`)
  } catch (error) {
    place = null
    // It is not closed: a browser may never return from that.
    open.delete(slot)
    throw error
  }
}

async function remove(storage: string, slot: Slot): Promise<void> {
  open.get(slot)?.close()
  open.delete(slot)
  const { folder, own } = await folderOf(storage)
  await folder.removeEntry(`${own}.journal-${slot}`).catch(unlessMissing)
}

function unlessMissing(error: unknown): void {
  if (!(error instanceof DOMException && error.name === 'NotFoundError')) throw error
}

let turn: Promise<unknown> = Promise.resolve()

/** Entry of the dedicated worker that writes a browser's journal; calls are done in their order. */
addEventListener('message', ({ data }: MessageEvent<JournalCall>) => {
  turn = turn.then(async () => {
    try {
      postMessage({ id: data.id, bytes: await perform(data), error: null } satisfies JournalAnswer)
    } catch (error) {
      const said = error instanceof Error ? error.message : String(error)
      postMessage({ id: data.id, bytes: new Uint8Array(), error: said } satisfies JournalAnswer)
    }
  })
})
