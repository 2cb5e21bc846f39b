import { LIMITS } from '../../protocol/index.ts'
import type { Connection } from '../connection/connection.ts'
import type { MigrationsStatus, StatusStore } from './status.ts'

/** The most tables that one report names. */
const REPORTED_TABLES = 100

/** Tells the server what its health and `migration:status` show of this replica. */
export class ServerReports {
  readonly #connection: Connection
  readonly #status: StatusStore
  /** The last report on this socket; null: there was none. */
  #reported: MigrationsStatus | null = null

  constructor(connection: Connection, status: StatusStore) {
    this.#connection = connection
    this.#status = status
  }

  /** Reports everything anew, on a socket that was told nothing yet. */
  begin(): void {
    if (Object.keys(this.#status.current.refused).length > 0) this.reportRefused()
    this.#reported = null
    this.reportMigrations()
  }

  /** Reports the tables that cannot be held here; they are shown until the socket ends. */
  reportRefused(): void {
    const { phase } = this.#connection.state
    if (phase !== 'hydrating' && phase !== 'catching-up' && phase !== 'live') return
    const tables = Object.keys(this.#status.current.refused).slice(0, REPORTED_TABLES)
    this.#connection.sendReport({ type: 'refused', tables })
  }

  /** Reports how far the tables have followed the schema, where that was not reported yet on this socket. */
  reportMigrations(): void {
    const { migrations } = this.#status.current
    const { version, waiting, fault, failed } = migrations
    const { phase } = this.#connection.state
    const isStreaming = phase === 'catching-up' || phase === 'live'
    if (version === null || !isStreaming || migrations === this.#reported) return
    this.#reported = migrations
    const said = (failed?.error ?? fault)?.slice(0, LIMITS.schemaFaultChars) ?? null
    const retries = failed?.retries ?? 0
    this.#connection.sendReport({ type: 'schema', version, waiting: waiting.length, fault: said, retries })
  }
}
