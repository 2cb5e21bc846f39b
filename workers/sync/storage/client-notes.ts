import type { ClientView } from '../../operations-contract.ts'

type ClientError = NonNullable<ClientView['lastError']>

/** Clients of which an error is kept, and clients that may be told to load at once. */
const MOST_CLIENTS = 1_000

/** What operators want of clients, and are shown of them, in the SyncDO's SQLite; the oldest go first. */
export class ClientNotes {
  readonly #sql: SqlStorage

  constructor(sql: SqlStorage) {
    this.#sql = sql
    sql.exec(`
      CREATE TABLE IF NOT EXISTS client_error (id TEXT PRIMARY KEY, value TEXT NOT NULL);
      CREATE TABLE IF NOT EXISTS load_order (id TEXT PRIMARY KEY, at_ms INTEGER NOT NULL)`)
  }

  putError(client: string, error: ClientError): void {
    this.#sql.exec('INSERT OR REPLACE INTO client_error (id, value) VALUES (?, ?)', client, JSON.stringify(error))
    this.#sql.exec('DELETE FROM client_error WHERE rowid <= (SELECT max(rowid) FROM client_error) - ?', MOST_CLIENTS)
  }

  errors(): Map<string, ClientError> {
    const rows = this.#sql.exec<{ id: string; value: string }>('SELECT id, value FROM client_error').toArray()
    return new Map(rows.map(({ id, value }) => [id, JSON.parse(value) as ClientError]))
  }

  /** Notes that a client is to load everything anew; answers false where that was noted before. */
  order(client: string, atMs: number): boolean {
    if (this.isToLoad(client)) return false
    this.#sql.exec('INSERT INTO load_order (id, at_ms) VALUES (?, ?)', client, atMs)
    this.#sql.exec('DELETE FROM load_order WHERE rowid <= (SELECT max(rowid) FROM load_order) - ?', MOST_CLIENTS)
    return true
  }

  isToLoad(client: string): boolean {
    return this.#sql.exec('SELECT 1 FROM load_order WHERE id = ?', client).toArray().length > 0
  }

  hasLoaded(client: string): void {
    if (this.isToLoad(client)) this.#sql.exec('DELETE FROM load_order WHERE id = ?', client)
  }

  ordered(): ReadonlySet<string> {
    return new Set(
      this.#sql
        .exec<{ id: string }>('SELECT id FROM load_order')
        .toArray()
        .map(({ id }) => id),
    )
  }

  /** What clients said of themselves last, as JSON text, the latest first. */
  statuses(limit: number): Map<string, string> {
    const rows = this.#sql
      .exec<{ id: string; status: string }>('SELECT id, status FROM client_status ORDER BY rowid DESC LIMIT ?', limit)
      .toArray()
    return new Map(rows.map(({ id, status }) => [id, status]))
  }
}
