import { fullBucket, type Rate, takeToken } from '../token-bucket.ts'
import type { Sql } from './replication-storage.ts'

/** Attempts to log in from one network address. */
const LOGINS: Rate = { burst: 10, refillMs: 60_000 }
/** The most addresses remembered; the one seen longest ago is forgotten first. */
const MOST_ADDRESSES = 1_000

/** Bounds how often the admin token can be guessed, for each network address, beyond the life of the object. Rule OPS-R8. */
export class LoginRates {
  readonly #sql: Sql

  constructor(sql: Sql) {
    this.#sql = sql
    sql.exec(
      'CREATE TABLE IF NOT EXISTS login (address TEXT PRIMARY KEY, tokens REAL NOT NULL, at_ms INTEGER NOT NULL)',
    )
  }

  /** An attempt that is refused writes nothing. */
  admit(address: string, nowMs: number): boolean {
    const [row] = [...this.#sql.exec('SELECT tokens, at_ms FROM login WHERE address = ?', address)]
    const known = row ? { tokens: Number(row.tokens), atMs: Number(row.at_ms) } : fullBucket(LOGINS, nowMs)
    const bucket = takeToken(known, LOGINS, nowMs)
    if (!bucket) return false
    this.#sql.exec('INSERT OR REPLACE INTO login VALUES (?, ?, ?)', address, bucket.tokens, bucket.atMs)
    this.#sql.exec(
      'DELETE FROM login WHERE address NOT IN (SELECT address FROM login ORDER BY at_ms DESC LIMIT ?)',
      MOST_ADDRESSES,
    )
    return true
  }
}
