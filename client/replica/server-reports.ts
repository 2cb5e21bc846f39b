import { LIMITS } from '../../protocol/index.ts'
import type { Connection } from '../connection/connection.ts'
import type { MigrationsStatus, StatusStore } from './status.ts'

/** The most tables that one report names. */
const REPORTED_TABLES = 100

/** What has waited for no longer than this is on its way, and nothing is told of it. */
const LATE_MS = 60_000

/** Tells the server what its health and `migration:status` show of this replica. */
export class ServerReports {
  readonly #connection: Connection
  readonly #status: StatusStore
  /** The last report on this socket; null: there was none. */
  #reported: MigrationsStatus | null = null
  /** What was told of unsent work on this socket; null: that there is none, or nothing. */
  #unsent: string | null = null

  constructor(connection: Connection, status: StatusStore) {
    this.#connection = connection
    this.#status = status
  }

  /** Reports everything anew, on a socket that was told nothing yet. */
  begin(): void {
    if (Object.keys(this.#status.current.refused).length > 0) this.reportRefused()
    this.#reported = null
    this.#unsent = null
    this.reportMigrations()
    this.reportUnsent()
  }

  /** Reports the tables that cannot be held here; they are shown until the socket ends. */
  reportRefused(): void {
    const { phase } = this.#connection.state
    if (phase !== 'hydrating' && phase !== 'catching-up' && phase !== 'live') return
    const tables = Object.keys(this.#status.current.refused).slice(0, REPORTED_TABLES)
    this.#connection.sendReport({ type: 'refused', tables })
  }

  /** Reports work that has waited for long or failed, where that was not reported yet on this socket. */
  reportUnsent(): void {
    const { pending, pendingSince, failed } = this.#status.current
    const ageMs = pendingSince === null ? 0 : Date.now() - Date.parse(pendingSince)
    const isLate = ageMs > LATE_MS
    const unsent = isLate || failed > 0 ? `${isLate ? pendingSince : ''} ${failed}` : null
    if (!this.#isStreaming || unsent === this.#unsent) return
    this.#unsent = unsent
    this.#connection.sendReport({
      type: 'unsent',
      count: isLate ? pending : 0,
      oldestMs: isLate ? ageMs : null,
      failed,
    })
  }

  get #isStreaming(): boolean {
    const { phase } = this.#connection.state
    return phase === 'catching-up' || phase === 'live'
  }

  /** Reports how far the tables have followed the schema, where that was not reported yet on this socket. */
  reportMigrations(): void {
    const { migrations } = this.#status.current
    const { version, waiting, fault, failed } = migrations
    if (version === null || !this.#isStreaming || migrations === this.#reported) return
    this.#reported = migrations
    const said = (failed?.error ?? fault)?.slice(0, LIMITS.schemaFaultChars) ?? null
    const retries = failed?.retries ?? 0
    this.#connection.sendReport({ type: 'schema', version, waiting: waiting.length, fault: said, retries })
  }
}
