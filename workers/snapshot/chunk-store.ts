/**
 * Where chunks live: the object's own SQLite, or a bucket.
 *
 * A chunk belongs to the build that wrote it, so that dropping a build never takes another's chunk away.
 */
export interface ChunkStore {
  put(build: string, id: string, bytes: Uint8Array): Promise<void>
  /**
   * The bytes whose hash is `id`, of whichever build; null where there is no such chunk. Throws `unavailable` where there is
   * and no copy is whole, and says so once: what is damaged is put away, so that the build that follows is judged by its own.
   */
  get(id: string): Promise<Uint8Array | null>
  /** Drops some of a build's chunks; true once none is left. Each call does a bounded amount of work. */
  drop(build: string): Promise<boolean>
}
