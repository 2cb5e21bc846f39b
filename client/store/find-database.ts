import { answerOf } from './indexed-db.ts'
import { fileSystem } from './node-builtins.ts'
import { cutTornLine, judgeState } from './rules/opfs-state.ts'
import type { Storage } from './storage-name.ts'

/**
 * The content of the place of a storage. `unfinished`: a first opening left it that was broken off, and it was never
 * used; only the mark says so, because a database that lost files looks alike. `headless`: it lacks the file by which
 * PGlite recognises a database, so that PGlite would make another over it. `torn`: the last change of its list of files was
 * cut; `damaged`: more of that list cannot be read.
 */
export type Found = 'nothing' | 'unfinished' | 'headless' | 'torn' | 'damaged' | 'database'

/** Names the mark, which lies beside a storage from before its first file until it is whole. */
const markOf = (storage: Storage) => `${storage.name}.making`

const HEAD = 'PG_VERSION'
/** PGlite's list of its files, beside them. */
const STATE = 'state.txt'

/** Looks without opening anything. The storage is closed, and held by the caller alone. */
export async function findDatabase(storage: Storage): Promise<Found> {
  switch (storage.kind) {
    case 'memory':
      return 'nothing'
    case 'path':
      return findFolder(storage)
    case 'opfs-ahp':
      return findInOpfs(storage)
    case 'idb':
      return findInIndexedDb(storage)
  }
}

/** Marks a storage as not whole. `idb://` needs no mark: PGlite writes all of a database to it at once, or none. */
export async function setMakingMark(storage: Storage): Promise<void> {
  if (storage.kind === 'path') {
    await fileSystem().writeFile(markOf(storage), '', { flag: 'w' })
  } else if (storage.kind === 'opfs-ahp') {
    const { folder, mark } = await opfsPlace(storage, true)
    await folder?.getFileHandle(mark, { create: true })
  }
}

/** Removes the mark of `setMakingMark`: the storage is whole. */
export async function removeMakingMark(storage: Storage): Promise<void> {
  if (storage.kind === 'path') {
    await fileSystem().rm(markOf(storage), { force: true })
  } else if (storage.kind === 'opfs-ahp') {
    const { folder, mark } = await opfsPlace(storage)
    await folder?.removeEntry(mark)
  }
}

async function findFolder(storage: Storage): Promise<Found> {
  const own = storage.name.replace(/^.*[/\\]/, '')
  const names = await namesIn(storage.name.slice(0, storage.name.length - own.length) || '.')
  if (!names.includes(own)) return 'nothing'
  if (names.includes(`${own}.making`)) return 'unfinished'
  const files = await namesIn(storage.name)
  if (files.length === 0) return 'nothing'
  return files.includes(HEAD) ? 'database' : 'headless'
}

async function namesIn(folder: string): Promise<readonly string[]> {
  try {
    return await fileSystem().readdir(folder)
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return []
    throw error
  }
}

async function findInOpfs(storage: Storage): Promise<Found> {
  const { folder, own, mark } = await opfsPlace(storage)
  const database = await entry(folder?.getDirectoryHandle(own))
  if (!database) return 'nothing'
  if (await entry(folder?.getFileHandle(mark))) return 'unfinished'
  const state = await entry(database.getFileHandle(STATE))
  const verdict = judgeState(state ? await (await state.getFile()).text() : '')
  return verdict === 'whole' ? 'database' : verdict
}

/** Cuts the change that was torn from the list of files of a database in the origin's own file system. */
export async function cutTornChange(storage: Storage): Promise<void> {
  const { folder, own } = await opfsPlace(storage)
  const state = await (await folder?.getDirectoryHandle(own))?.getFileHandle(STATE)
  if (!state) return
  const whole = cutTornLine(await (await state.getFile()).text())
  // What was there stays until all of this is written.
  const writing = await state.createWritable()
  await writing.write(whole)
  await writing.close()
}

/** Resolves with an entry; null where it is not there. */
async function entry<Handle>(asked: Promise<Handle> | undefined): Promise<Handle | null> {
  try {
    return (await asked) ?? null
  } catch (error) {
    if (error instanceof DOMException && error.name === 'NotFoundError') return null
    throw error
  }
}

async function opfsPlace(storage: Storage, create = false) {
  const parts = storage.name.split('/').filter(Boolean)
  const own = parts.pop() ?? storage.name
  let folder: FileSystemDirectoryHandle | null = await navigator.storage.getDirectory()
  for (const part of parts) folder = folder && (await entry(folder.getDirectoryHandle(part, { create })))
  return { folder, own, mark: `${own}.making` }
}

async function findInIndexedDb(storage: Storage): Promise<Found> {
  const name = `/pglite/${storage.name}`
  const known = await indexedDB.databases()
  if (!known.some((one) => one.name === name)) return 'nothing'
  const db = await answerOf(indexedDB.open(name))
  try {
    if (!db.objectStoreNames.contains('FILE_DATA')) return 'nothing'
    const files = db.transaction('FILE_DATA').objectStore('FILE_DATA')
    const [all, head] = await Promise.all([answerOf(files.count()), answerOf(files.count(`${name}/${HEAD}`))])
    if (all === 0) return 'nothing'
    return head > 0 ? 'database' : 'headless'
  } finally {
    db.close()
  }
}
