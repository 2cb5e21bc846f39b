/**
 * Stores chunks, in the object's own SQLite or in a bucket.
 *
 * A chunk belongs to the build that wrote it, so that dropping a build never takes another's chunk away.
 */
export interface ChunkStore {
  put(build: string, id: string, bytes: Uint8Array): Promise<void>
  /**
   * Returns the bytes whose hash is `id`, of any build; null where there is no such chunk. Throws `unavailable` where
   * there is one and no copy is whole, and only once: damaged copies are put away, so that the next build is judged by
   * its own.
   */
  get(id: string): Promise<Uint8Array | null>
  /** Drops some of a build's chunks; true once none is left. Each call does a bounded amount of work. */
  drop(build: string): Promise<boolean>
}
