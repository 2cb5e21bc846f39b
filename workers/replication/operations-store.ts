import type { MinuteFigures } from '../contracts.ts'
import type { LoggedAction, OperatorEvent, SnapshotView } from '../operations-contract.ts'
import type { Sql } from './replication-storage.ts'

/** Six hours: what the operators' page plots. */
export const MOST_MINUTES = 360
const MOST_EVENTS = 100
const MOST_ACTIONS = 200
const MOST_SNAPSHOTS = 200
/** A row of a Durable Object holds 2 MB, and what is shown on a page need not be long. */
const MOST_TEXT_CHARS = 1_000

/** What operators are shown of the past, in the ReplicationDO's own SQLite; each table is bounded, and the oldest rows go first. */
export class OperationsStore {
  readonly #sql: Sql

  constructor(sql: Sql) {
    this.#sql = sql
    sql.exec('CREATE TABLE IF NOT EXISTS event (id INTEGER PRIMARY KEY AUTOINCREMENT, value TEXT NOT NULL)')
    sql.exec(
      'CREATE TABLE IF NOT EXISTS operation (seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, value TEXT NOT NULL)',
    )
    sql.exec('CREATE TABLE IF NOT EXISTS minute (at_ms INTEGER PRIMARY KEY, value TEXT NOT NULL)')
    sql.exec(
      'CREATE TABLE IF NOT EXISTS snapshot (audience TEXT PRIMARY KEY, at_ms INTEGER NOT NULL, value TEXT NOT NULL)',
    )
  }

  noteEvent(event: OperatorEvent): void {
    const value = JSON.stringify({ ...event, text: event.text.slice(0, MOST_TEXT_CHARS) })
    this.#sql.exec('INSERT INTO event (value) VALUES (?)', value)
    this.#sql.exec('DELETE FROM event WHERE id <= (SELECT max(id) FROM event) - ?', MOST_EVENTS)
  }

  /** The latest first. */
  events(): OperatorEvent[] {
    return this.#values('SELECT value FROM event ORDER BY id DESC')
  }

  action(id: string): LoggedAction | null {
    return this.#values<LoggedAction>('SELECT value FROM operation WHERE id = ?', id)[0] ?? null
  }

  putAction(action: LoggedAction): void {
    this.#sql.exec(
      'INSERT INTO operation (id, value) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET value = excluded.value',
      action.id,
      JSON.stringify({ ...action, said: action.said.slice(0, MOST_TEXT_CHARS) }),
    )
    this.#sql.exec('DELETE FROM operation WHERE seq <= (SELECT max(seq) FROM operation) - ?', MOST_ACTIONS)
  }

  /** The latest first. */
  actions(): LoggedAction[] {
    return this.#values('SELECT value FROM operation ORDER BY seq DESC')
  }

  /** Oldest first. */
  minutes(): MinuteFigures[] {
    return this.#values('SELECT value FROM minute ORDER BY at_ms')
  }

  putMinutes(minutes: readonly MinuteFigures[]): void {
    for (const minute of minutes)
      this.#sql.exec('INSERT OR REPLACE INTO minute VALUES (?, ?)', minute.atMs, JSON.stringify(minute))
    this.#sql.exec(
      'DELETE FROM minute WHERE at_ms NOT IN (SELECT at_ms FROM minute ORDER BY at_ms DESC LIMIT ?)',
      MOST_MINUTES,
    )
  }

  putSnapshot(snapshot: SnapshotView): void {
    this.#sql.exec(
      'INSERT OR REPLACE INTO snapshot VALUES (?, ?, ?)',
      snapshot.audience,
      snapshot.atMs,
      JSON.stringify(snapshot),
    )
    this.#sql.exec(
      'DELETE FROM snapshot WHERE audience NOT IN (SELECT audience FROM snapshot ORDER BY at_ms DESC LIMIT ?)',
      MOST_SNAPSHOTS,
    )
  }

  noteDropped(audience: string): void {
    const [known] = this.#values<SnapshotView>('SELECT value FROM snapshot WHERE audience = ?', audience)
    if (known !== undefined) this.putSnapshot({ ...known, isDropped: true })
  }

  /** The latest first. */
  snapshots(): SnapshotView[] {
    return this.#values('SELECT value FROM snapshot ORDER BY at_ms DESC')
  }

  #values<Value>(text: string, ...bindings: string[]): Value[] {
    return [...this.#sql.exec(text, ...bindings)].map((row) => JSON.parse(String(row.value)))
  }
}
