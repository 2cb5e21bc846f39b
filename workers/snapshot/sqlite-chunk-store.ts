import { TidemarkError } from '../../protocol/index.ts'
import { sha256Hex } from '../pack-chunk.ts'
import type { ChunkStore } from './chunk-store.ts'

/** A SQLite row in a Durable Object holds 2 MB; local runtimes do not enforce it. */
const PIECE_BYTES = 1_900_000
const DROPPED_PIECES = 200

/** Keeps chunks in the Durable Object's own SQLite, in pieces that fit its rows. */
export class SqliteChunkStore implements ChunkStore {
  readonly #sql: SqlStorage

  constructor(sql: SqlStorage) {
    this.#sql = sql
    sql.exec(`CREATE TABLE IF NOT EXISTS chunk_piece (
      build TEXT NOT NULL, chunk TEXT NOT NULL, piece INTEGER NOT NULL, bytes BLOB NOT NULL,
      PRIMARY KEY (build, chunk, piece)
    ) WITHOUT ROWID`)
    sql.exec('CREATE INDEX IF NOT EXISTS chunk_piece_chunk ON chunk_piece (chunk)')
  }

  async put(build: string, id: string, bytes: Uint8Array): Promise<void> {
    // No await in between, so the pieces are committed together.
    for (let start = 0, piece = 0; start < bytes.byteLength; start += PIECE_BYTES, piece += 1) {
      const part = bytes.slice(start, start + PIECE_BYTES)
      this.#sql.exec(
        'INSERT OR REPLACE INTO chunk_piece (build, chunk, piece, bytes) VALUES (?, ?, ?, ?)',
        build,
        id,
        piece,
        part.buffer,
      )
    }
  }

  async get(id: string): Promise<Uint8Array | null> {
    const builds = this.#sql
      .exec<{ build: string }>('SELECT DISTINCT build FROM chunk_piece WHERE chunk = ?', id)
      .toArray()
    let isDamaged = false
    for (const { build } of builds) {
      const bytes = this.#read(build, id)
      // This copy was dropped while another was looked at.
      if (bytes === null) continue
      if ((await sha256Hex(bytes)) === id) return bytes
      isDamaged = true
      this.#sql.exec('DELETE FROM chunk_piece WHERE build = ? AND chunk = ?', build, id)
    }
    if (isDamaged) throw new TidemarkError('unavailable', 'A chunk is damaged in storage.')
    return null
  }

  #read(build: string, id: string): Uint8Array | null {
    const pieces = this.#sql
      .exec<{ bytes: ArrayBuffer }>(
        'SELECT bytes FROM chunk_piece WHERE build = ? AND chunk = ? ORDER BY piece',
        build,
        id,
      )
      .toArray()
    if (pieces.length === 0) return null
    const whole = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.bytes.byteLength, 0))
    let offset = 0
    for (const { bytes } of pieces) {
      whole.set(new Uint8Array(bytes), offset)
      offset += bytes.byteLength
    }
    return whole
  }

  async drop(build: string): Promise<boolean> {
    const { rowsWritten } = this.#sql.exec(
      `DELETE FROM chunk_piece WHERE build = ?1 AND (chunk, piece) IN (
        SELECT chunk, piece FROM chunk_piece WHERE build = ?1 LIMIT ${DROPPED_PIECES})`,
      build,
    )
    if (rowsWritten === 0) return true
    const [left] = this.#sql.exec('SELECT 1 FROM chunk_piece WHERE build = ? LIMIT 1', build).toArray()
    return left === undefined
  }
}
