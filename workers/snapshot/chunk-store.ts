/**
 * Where chunks live. The object's own SQLite implements it; a bucket can too.
 *
 * A chunk belongs to the build that wrote it, so that dropping a build never takes another's chunk away.
 */
export interface ChunkStore {
  put(build: string, id: string, bytes: Uint8Array): Promise<void>
  /** The bytes as stored, of whichever build; null where there is no such chunk. */
  get(id: string): Promise<Uint8Array | null>
  /** Drops some of a build's chunks; true once none is left. Each call does a bounded amount of work. */
  drop(build: string): Promise<boolean>
}
