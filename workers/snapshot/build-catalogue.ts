import type { Lsn } from '../../protocol/index.ts'
import type { FinishedBuild } from './freshness.ts'

type BuildRow = {
  id: string
  audience: string
  epoch: string
  definition_version: number
  definition_hash: string
  start: string
  started_at_ms: number
}

/** A SQLite row in a Durable Object holds 2 MB. */
const MANIFEST_PIECE_CHARS = 450_000

/**
 * The builds of one object: at most one current, and doomed ones whose chunks wait to be dropped.
 *
 * A build's manifest is written in the step that finishes it, so a build that was killed has none and is never served.
 */
export class BuildCatalogue {
  readonly #sql: SqlStorage

  constructor(sql: SqlStorage) {
    this.#sql = sql
    // drop_at_ms is null for the build being written and for the current one, which alone has finished = 1.
    sql.exec(`CREATE TABLE IF NOT EXISTS build (
      id TEXT PRIMARY KEY, finished INTEGER NOT NULL DEFAULT 0, drop_at_ms INTEGER,
      audience TEXT, epoch TEXT, definition_version INTEGER, definition_hash TEXT, start TEXT, started_at_ms INTEGER
    ) WITHOUT ROWID`)
    sql.exec(`CREATE TABLE IF NOT EXISTS manifest_piece (
      build TEXT NOT NULL, piece INTEGER NOT NULL, text TEXT NOT NULL, PRIMARY KEY (build, piece)
    ) WITHOUT ROWID`)
  }

  /** Call this before any build of this instance: whatever is unfinished now was killed. */
  doomOrphans(nowMs: number): void {
    this.#sql.exec('UPDATE build SET drop_at_ms = ? WHERE finished = 0 AND drop_at_ms IS NULL', nowMs)
  }

  begin(id: string): void {
    this.#sql.exec('INSERT INTO build (id) VALUES (?)', id)
  }

  /** Makes a build the current one; the former keeps its chunks until `formerUntilMs`. */
  finish(build: FinishedBuild, manifest: string, formerUntilMs: number): void {
    this.#sql.exec('UPDATE build SET drop_at_ms = ? WHERE finished = 1 AND drop_at_ms IS NULL', formerUntilMs)
    for (let start = 0, piece = 0; start < manifest.length; start += MANIFEST_PIECE_CHARS, piece += 1) {
      const text = manifest.slice(start, start + MANIFEST_PIECE_CHARS)
      this.#sql.exec('INSERT INTO manifest_piece (build, piece, text) VALUES (?, ?, ?)', build.id, piece, text)
    }
    this.#sql.exec(
      `UPDATE build SET finished = 1, audience = ?, epoch = ?, definition_version = ?, definition_hash = ?, start = ?,
        started_at_ms = ? WHERE id = ?`,
      build.audience,
      build.epoch,
      build.definitionVersion,
      build.definitionHash,
      build.start,
      build.startedAtMs,
      build.id,
    )
  }

  current(): FinishedBuild | null {
    const [row] = this.#sql.exec<BuildRow>('SELECT * FROM build WHERE finished = 1 AND drop_at_ms IS NULL').toArray()
    if (!row) return null
    return {
      id: row.id,
      audience: row.audience,
      epoch: row.epoch,
      definitionVersion: row.definition_version,
      definitionHash: row.definition_hash,
      start: row.start as Lsn,
      startedAtMs: row.started_at_ms,
    }
  }

  manifest(id: string): string {
    const pieces = this.#sql.exec<{ text: string }>(
      'SELECT text FROM manifest_piece WHERE build = ? ORDER BY piece',
      id,
    )
    return pieces
      .toArray()
      .map((piece) => piece.text)
      .join('')
  }

  /** Withdraws a build, or every finished one; its chunks are served until `dropAtMs`. */
  doom(id: string | null, dropAtMs: number): void {
    this.#sql.exec(
      `UPDATE build SET drop_at_ms = ?1
       WHERE (id = ?2 OR (?2 IS NULL AND finished = 1)) AND (drop_at_ms IS NULL OR drop_at_ms > ?1)`,
      dropAtMs,
      id,
    )
  }

  due(nowMs: number): string[] {
    const rows = this.#sql.exec<{ id: string }>('SELECT id FROM build WHERE drop_at_ms <= ? ORDER BY drop_at_ms', nowMs)
    return rows.toArray().map((row) => row.id)
  }

  /** Call this once the build's chunks are gone. */
  forget(id: string): void {
    this.#sql.exec('DELETE FROM manifest_piece WHERE build = ?', id)
    this.#sql.exec('DELETE FROM build WHERE id = ?', id)
  }

  nextDropAtMs(): number | null {
    const [row] = this.#sql.exec<{ at: number | null }>('SELECT min(drop_at_ms) AS at FROM build').toArray()
    return row?.at ?? null
  }
}
