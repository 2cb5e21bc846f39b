import type { Database } from '../../client/store/database.ts'

/** The part of Emscripten's file system that is used here. */
interface FileSystem {
  write(stream: { readonly path?: string }, ...rest: unknown[]): number
  ErrnoError: new (errno: number) => Error
}

/** Emscripten's own error numbers. */
const ERRNO = { ENOSPC: 51, EFBIG: 22 } as const

/** Makes writes to the files of tables fail, as a device without room does; the function answered makes room again. */
export function fillDevice(db: Database, code: keyof typeof ERRNO): () => void {
  const files = db.Module.FS as unknown as FileSystem
  const { write } = files
  files.write = (stream, ...rest) => {
    if (stream.path?.includes('/base/')) throw new files.ErrnoError(ERRNO[code])
    return write(stream, ...rest)
  }
  return () => {
    files.write = write
  }
}
