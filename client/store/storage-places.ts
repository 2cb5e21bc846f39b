import { TidemarkError } from '../../protocol/index.ts'
import { codeOf, fileSystem } from './node-builtins.ts'
import { type Place, placesAmong } from './rules/place-names.ts'
import type { Storage } from './storage-name.ts'

const parentOf = (path: string) => path.replace(/[^/\\]*$/, '')

/** Finds the databases that a storage has, oldest first: the last is in force. Nothing is opened. */
export async function findPlaces(storage: Storage): Promise<Place[]> {
  switch (storage.kind) {
    case 'memory':
      return []
    case 'path': {
      const parent = parentOf(storage.name)
      const entries = await orNone(fileSystem().readdir(parent || '.', { withFileTypes: true }))
      const folders = entries.filter((entry) => entry.isDirectory()).map(({ name }) => `${parent}${name}`)
      const places: Place[] = []
      // What lies beside the storage is not ours: it may go at any time, and need not be readable.
      for (const place of placesAmong(storage.name, folders)) {
        const held = await orNone(fileSystem().readdir(place.name))
        if (held.length > 0) places.push(place)
      }
      return places
    }
    case 'opfs-ahp': {
      const parent = parentOf(storage.name)
      return placesAmong(
        storage.name,
        (await directories(parent)).map((name) => `${parent}${name}`),
      )
    }
    case 'idb': {
      const prefix = '/pglite/'
      const names = (await indexedDB.databases()).map(({ name = '' }) => name)
      return placesAmong(
        storage.name,
        names.filter((name) => name.startsWith(prefix)).map((name) => name.slice(prefix.length)),
      )
    }
  }
}

/** Answers what was read; nothing where there is none. */
async function orNone<Entry>(read: Promise<Entry[]>): Promise<Entry[]> {
  try {
    return await read
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return []
    throw error
  }
}

async function directories(path: string): Promise<string[]> {
  // Some browsers close this file system to private windows, where nothing can lie in it.
  const parent = await directoryAt(path).catch((error: unknown) => {
    if (error instanceof DOMException && error.name === 'SecurityError') return null
    throw error
  })
  if (!parent) return []
  const found: string[] = []
  for await (const [name, handle] of parent.entries()) if (handle.kind === 'directory') found.push(name)
  return found
}

/** Finds the directory at a path of the origin's own file system; null where there is none. */
async function directoryAt(path: string): Promise<FileSystemDirectoryHandle | null> {
  let directory = await navigator.storage.getDirectory()
  for (const part of path.split('/').filter(Boolean)) {
    try {
      directory = await directory.getDirectoryHandle(part)
    } catch (error) {
      if (error instanceof DOMException && error.name === 'NotFoundError') return null
      throw error
    }
  }
  return directory
}

const FREE_LOOKS = 50
const FREE_LOOK_MS = 100

/** Tries until files are free: a browser frees those of a worker that was ended a moment after its end. */
export async function onceFree<Result>(work: () => Promise<Result>): Promise<Result> {
  for (let look = 1; ; look++) {
    try {
      return await work()
    } catch (error) {
      const isHeld = error instanceof DOMException && error.name === 'NoModificationAllowedError'
      if (!isHeld || look === FREE_LOOKS) throw error
      await new Promise((resolve) => setTimeout(resolve, FREE_LOOK_MS))
    }
  }
}

/** Removes a database that is closed. */
export async function removePlace({ kind }: Storage, name: string): Promise<void> {
  if (kind === 'memory') return
  if (kind === 'path') return fileSystem().rm(name, { recursive: true, force: true })
  if (kind === 'opfs-ahp') {
    const parent = parentOf(name)
    const directory = await directoryAt(parent)
    await onceFree(async () => directory?.removeEntry(name.slice(parent.length), { recursive: true }))
    return
  }
  await new Promise<void>((resolve, reject) => {
    const request = indexedDB.deleteDatabase(`/pglite/${name}`)
    request.onsuccess = () => resolve()
    request.onerror = () => reject(request.error)
    request.onblocked = () =>
      reject(new TidemarkError('already-open', 'The replica’s storage is in use by another tab.'))
  })
}
