import type { JournalFiles, Slot } from './journal-files.ts'
import { codeOf, syncFileSystem } from './node-builtins.ts'

const pathOf = (folder: string, slot: Slot) => `${folder}.journal-${slot}`

export const hasFolderFiles = (folder: string): boolean =>
  ([0, 1] as const).some((slot) => syncFileSystem().existsSync(pathOf(folder, slot)))

/**
 * Opens two files beside a database's folder. They are written without waiting for the disk, as PGlite writes its own
 * there: a write that was answered outlives the process.
 */
export function openFolderFiles(folder: string): JournalFiles {
  const files = syncFileSystem()
  const open = new Map<Slot, number>()

  function write(slot: Slot, bytes: Uint8Array): void {
    const file = open.get(slot) ?? files.openSync(pathOf(folder, slot), 'a')
    open.set(slot, file)
    for (let at = 0; at < bytes.length; ) at += files.writeSync(file, bytes, at)
  }

  function closeOne(slot: Slot): void {
    const file = open.get(slot)
    open.delete(slot)
    if (file !== undefined) files.closeSync(file)
  }

  return {
    async read(slot) {
      try {
        return files.readFileSync(pathOf(folder, slot))
      } catch (error) {
        if (codeOf(error) === 'ENOENT') return new Uint8Array()
        throw error
      }
    },
    async append(slot, bytes) {
      write(slot, bytes)
    },
    async replace(slot, bytes) {
      closeOne(slot)
      files.rmSync(pathOf(folder, slot), { force: true })
      if (bytes.length > 0) write(slot, bytes)
    },
    async remove() {
      for (const slot of [0, 1] as const) {
        closeOne(slot)
        files.rmSync(pathOf(folder, slot), { force: true })
      }
    },
    async close() {
      closeOne(0)
      closeOne(1)
    },
  }
}
