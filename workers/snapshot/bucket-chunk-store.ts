import { TidemarkError } from '../../protocol/index.ts'
import type { SnapshotBucket } from '../env.ts'
import { sha256Hex } from '../pack-chunk.ts'
import type { ChunkStore } from './chunk-store.ts'

const READ_ATTEMPTS = 3
/** A bucket that failed is left alone for this long; new chunks then go to the object's own storage. */
const DISTRUST_MS = 60_000
const DROPPED_OBJECTS = 200

export interface BucketOptions {
  readonly sql: SqlStorage
  /** Null where none is bound; chunks that a former deployment put into one are then out of reach. */
  readonly bucket: SnapshotBucket | null
  /** Takes the chunks that the bucket does not. */
  readonly own: ChunkStore
  readonly audience: () => string
}

/**
 * Keeps chunks in an R2 bucket, and in the object's own storage while the bucket fails or where none is bound.
 *
 * An object is recorded here before it is put, so that a killed build leaves no object that nobody knows of.
 */
export class BucketChunkStore implements ChunkStore {
  readonly #options: BucketOptions
  #distrustedUntilMs = 0

  constructor(options: BucketOptions) {
    this.#options = options
    options.sql.exec(`CREATE TABLE IF NOT EXISTS bucket_chunk (
      build TEXT NOT NULL, chunk TEXT NOT NULL, key TEXT NOT NULL, dropping INTEGER NOT NULL DEFAULT 0,
      PRIMARY KEY (build, chunk)
    ) WITHOUT ROWID`)
    options.sql.exec('CREATE INDEX IF NOT EXISTS bucket_chunk_chunk ON bucket_chunk (chunk)')
  }

  async put(build: string, id: string, bytes: Uint8Array): Promise<void> {
    const { bucket, own, sql, audience } = this.#options
    if (bucket === null || Date.now() < this.#distrustedUntilMs) return own.put(build, id, bytes)
    // Hashed, because an audience may be longer than a key and hold slashes.
    const key = `tidemark/${await sha256Hex(new TextEncoder().encode(audience()))}/${build}/${id}`
    sql.exec('INSERT OR REPLACE INTO bucket_chunk (build, chunk, key) VALUES (?, ?, ?)', build, id, key)
    try {
      await bucket.put(key, bytes)
    } catch {
      this.#distrust()
      await own.put(build, id, bytes)
    }
  }

  async get(id: string): Promise<Uint8Array | null> {
    const { bucket, own, sql } = this.#options
    const here = await own.get(id)
    if (here !== null) return here
    const keys = sql
      .exec<{ key: string }>('SELECT key FROM bucket_chunk WHERE chunk = ? AND dropping = 0', id)
      .toArray()
    if (keys.length === 0) return null
    for (const { key } of keys) {
      const bytes = bucket && (await this.#read(bucket, key))
      if (bytes && (await sha256Hex(bytes)) === id) return bytes
    }
    // Thrown once only: clients that go on asking for these builds must not bring down the one that follows them.
    sql.exec('UPDATE bucket_chunk SET dropping = 1 WHERE build IN (SELECT build FROM bucket_chunk WHERE chunk = ?)', id)
    throw new TidemarkError(
      'unavailable',
      'A snapshot chunk is missing or damaged in the bucket; the next request builds a new snapshot.',
    )
  }

  async #read(bucket: SnapshotBucket, key: string): Promise<Uint8Array | null> {
    for (let attempt = 0; attempt < READ_ATTEMPTS; attempt++) {
      try {
        const object = await bucket.get(key)
        return object && new Uint8Array(await object.arrayBuffer())
      } catch {
        this.#distrust()
      }
    }
    return null
  }

  async drop(build: string): Promise<boolean> {
    const { bucket, own, sql } = this.#options
    if (!(await own.drop(build))) return false
    const rows = sql
      .exec<{ chunk: string; key: string }>(
        `UPDATE bucket_chunk SET dropping = 1 WHERE build = ?1 AND chunk IN (
          SELECT chunk FROM bucket_chunk WHERE build = ?1 LIMIT ${DROPPED_OBJECTS}) RETURNING chunk, key`,
        build,
      )
      .toArray()
    if (rows.length === 0) return true
    await bucket?.delete(rows.map(({ key }) => key))
    for (const { chunk } of rows) sql.exec('DELETE FROM bucket_chunk WHERE build = ? AND chunk = ?', build, chunk)
    return rows.length < DROPPED_OBJECTS
  }

  #distrust(): void {
    this.#distrustedUntilMs = Date.now() + DISTRUST_MS
  }
}
