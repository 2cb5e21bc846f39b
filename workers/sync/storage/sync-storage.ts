import { type Bundles, type Lsn, NO_BUNDLES, ZERO_LSN } from '../../../protocol/index.ts'
import type { Session } from '../../contracts.ts'
import type { Bucket } from '../../token-bucket.ts'
import { ClientNotes } from './client-notes.ts'

/** The SyncDO's state besides its log, stored as one row. */
export interface SyncState {
  /** The object's own name; null until the first session brings it. */
  name: string | null
  epoch: string | null
  /** The log is complete up to here for every audience that joined. */
  head: Lsn | null
  /** The highest LSN heard of; where it is above the head, there is a gap to read. */
  target: Lsn
  /** History at or below it is pruned. */
  floor: Lsn
  /** Transactions at or below it have left the log. */
  trimmedTo: Lsn
  logChars: number
  definitionVersion: number
  definitionHash: string
  bundles: Bundles
  /** True where rights depend on tables that capture watches. */
  watches: boolean
  /** The version of the subscription wanted; `answeredVersion` is that of the one answered last. */
  version: number
  answeredVersion: number
  subscribed: boolean
  leaseUntilMs: number
  leaseMs: number
  emptySinceMs: number | null
  noticeAtMs: number | null
  /** The time at which statuses of clients are to be stored in Postgres; null where none is new. */
  statusesAtMs: number | null
  retryAtMs: number | null
  failures: number
}

const FRESH: SyncState = {
  name: null,
  epoch: null,
  head: null,
  target: ZERO_LSN,
  floor: ZERO_LSN,
  trimmedTo: ZERO_LSN,
  logChars: 0,
  definitionVersion: 0,
  definitionHash: '',
  bundles: NO_BUNDLES,
  watches: false,
  version: 0,
  answeredVersion: 0,
  subscribed: false,
  leaseUntilMs: 0,
  leaseMs: 0,
  emptySinceMs: null,
  noticeAtMs: null,
  statusesAtMs: null,
  retryAtMs: null,
  failures: 0,
}

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS state (id INTEGER PRIMARY KEY CHECK (id = 1), value TEXT NOT NULL);
  CREATE TABLE IF NOT EXISTS audience (
    name TEXT PRIMARY KEY, start TEXT, version INTEGER NOT NULL, used_at_ms INTEGER NOT NULL
  ) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS log_transaction (
    lsn TEXT PRIMARY KEY, xid TEXT NOT NULL, at TEXT NOT NULL, chars INTEGER NOT NULL
  ) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS log_change (
    lsn TEXT NOT NULL, run INTEGER NOT NULL, piece INTEGER NOT NULL, audience TEXT, text TEXT NOT NULL,
    PRIMARY KEY (lsn, run, piece)
  ) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS session (
    id TEXT PRIMARY KEY, audiences TEXT NOT NULL, claims TEXT NOT NULL, hello TEXT
  ) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS known_client (id TEXT PRIMARY KEY, user_id TEXT NOT NULL);
  CREATE TABLE IF NOT EXISTS client_status (
    id TEXT PRIMARY KEY, status TEXT NOT NULL, is_stored INTEGER NOT NULL
  );
  CREATE TABLE IF NOT EXISTS connects (
    user_id TEXT PRIMARY KEY, tokens REAL NOT NULL, at_ms INTEGER NOT NULL
  ) WITHOUT ROWID;`

export interface AudienceRow {
  readonly start: Lsn | null
  readonly version: number
  readonly usedAtMs: number
}

/** The SyncDO's SQLite but for the log: state, audiences, sessions, known clients, connection rates. */
export class SyncStorage {
  readonly state: SyncState
  readonly audiences = new Map<string, AudienceRow>()
  readonly clients: ClientNotes
  readonly #sql: SqlStorage

  constructor(sql: SqlStorage) {
    this.#sql = sql
    sql.exec(SCHEMA)
    this.clients = new ClientNotes(sql)
    const [row] = sql.exec<{ value: string }>('SELECT value FROM state').toArray()
    this.state = row ? { ...FRESH, ...(JSON.parse(row.value) as SyncState) } : { ...FRESH }
    const rows = sql.exec<{ name: string; start: string | null; version: number; used_at_ms: number }>(
      'SELECT name, start, version, used_at_ms FROM audience',
    )
    for (const { name, start, version, used_at_ms } of rows) {
      this.audiences.set(name, { start: start as Lsn | null, version, usedAtMs: used_at_ms })
    }
  }

  update(change: Partial<SyncState>): void {
    const changed = Object.entries(change).some(([key, value]) => this.state[key as keyof SyncState] !== value)
    if (!changed) return
    Object.assign(this.state, change)
    this.#sql.exec('INSERT OR REPLACE INTO state (id, value) VALUES (1, ?)', JSON.stringify(this.state))
  }

  putAudience(name: string, row: AudienceRow): void {
    this.audiences.set(name, row)
    this.#sql.exec(
      'INSERT OR REPLACE INTO audience (name, start, version, used_at_ms) VALUES (?, ?, ?, ?)',
      name,
      row.start,
      row.version,
      row.usedAtMs,
    )
  }

  dropAudience(name: string): void {
    this.audiences.delete(name)
    this.#sql.exec('DELETE FROM audience WHERE name = ?', name)
  }

  /** Answers the LSN at which an audience begins in the log; null where it has not joined. */
  readonly startOf = (audience: string): Lsn | null => this.audiences.get(audience)?.start ?? null

  putSession(id: string, right: Pick<Session, 'audiences' | 'claims'>): void {
    this.#sql.exec(
      `INSERT INTO session (id, audiences, claims) VALUES (?, ?, ?)
       ON CONFLICT (id) DO UPDATE SET audiences = excluded.audiences, claims = excluded.claims`,
      id,
      JSON.stringify(right.audiences),
      JSON.stringify(right.claims),
    )
  }

  /** Keeps a hello until it is answered, so that an eviction meanwhile does not lose it; null once it is. */
  putHello(id: string, hello: string | null): void {
    this.#sql.exec('UPDATE session SET hello = ? WHERE id = ?', hello, id)
  }

  session(id: string): (Pick<Session, 'audiences' | 'claims'> & { readonly hello: string | null }) | null {
    const [row] = this.#sql
      .exec<{ audiences: string; claims: string; hello: string | null }>(
        'SELECT audiences, claims, hello FROM session WHERE id = ?',
        id,
      )
      .toArray()
    if (!row) return null
    const right: Pick<Session, 'audiences' | 'claims'> = {
      audiences: JSON.parse(row.audiences),
      claims: JSON.parse(row.claims),
    }
    return { ...right, hello: row.hello }
  }

  dropSession(id: string): void {
    this.#sql.exec('DELETE FROM session WHERE id = ?', id)
  }

  /** Forgets sessions whose sockets did not survive. */
  keepSessions(ids: readonly string[]): void {
    this.#sql.exec('DELETE FROM session WHERE id NOT IN (SELECT value FROM json_each(?))', JSON.stringify(ids))
  }

  ownerOf(client: string): string | null {
    const [row] = this.#sql.exec<{ user_id: string }>('SELECT user_id FROM known_client WHERE id = ?', client).toArray()
    return row?.user_id ?? null
  }

  rememberClient(client: string, userId: string, limit: number): void {
    this.#sql.exec('INSERT OR REPLACE INTO known_client (id, user_id) VALUES (?, ?)', client, userId)
    this.#sql.exec('DELETE FROM known_client WHERE rowid <= (SELECT max(rowid) FROM known_client) - ?', limit)
  }

  /** Keeps what a client said of itself; returns whether that is new. The oldest go where there are more than the limit. */
  putStatus(client: string, status: string, limit: number): boolean {
    const [row] = this.#sql.exec<{ status: string }>('SELECT status FROM client_status WHERE id = ?', client).toArray()
    if (row?.status === status) return false
    this.#sql.exec('INSERT OR REPLACE INTO client_status (id, status, is_stored) VALUES (?, ?, 0)', client, status)
    this.#sql.exec('DELETE FROM client_status WHERE rowid <= (SELECT max(rowid) FROM client_status) - ?', limit)
    return true
  }

  /** Answers statuses that Postgres has not been told. */
  newStatuses(limit: number): { readonly id: string; readonly status: string }[] {
    return this.#sql
      .exec<{ id: string; status: string }>(
        'SELECT id, status FROM client_status WHERE is_stored = 0 ORDER BY rowid LIMIT ?',
        limit,
      )
      .toArray()
  }

  statusStored(client: string, status: string): void {
    this.#sql.exec('UPDATE client_status SET is_stored = 1 WHERE id = ? AND status = ?', client, status)
  }

  connectBucket(userId: string): Bucket | null {
    const [row] = this.#sql
      .exec<{ tokens: number; at_ms: number }>('SELECT tokens, at_ms FROM connects WHERE user_id = ?', userId)
      .toArray()
    return row ? { tokens: row.tokens, atMs: row.at_ms } : null
  }

  putConnectBucket(userId: string, bucket: Bucket): void {
    this.#sql.exec(
      'INSERT OR REPLACE INTO connects (user_id, tokens, at_ms) VALUES (?, ?, ?)',
      userId,
      bucket.tokens,
      bucket.atMs,
    )
  }

  /** Forgets buckets that have long been full again. */
  dropConnectBuckets(beforeMs: number): void {
    this.#sql.exec('DELETE FROM connects WHERE at_ms < ?', beforeMs)
  }
}
