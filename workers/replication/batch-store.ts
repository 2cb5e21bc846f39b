import { ALTERED_TABLES } from '../../db/definition/table-shape.ts'
import { formatPgLsn, type Lsn, TidemarkError } from '../../protocol/index.ts'
import type { Database, DatabaseTransaction } from '../database/index.ts'
import { HistoryPage, INSERT_SELECT, PAGES_UNDER_WAY, type TransactionHeader } from './history-page.ts'
import type { HistoryRow } from './rules/to-changes.ts'
import { onceSeen, requireSchema, unplacedBeyond, unseenAmong } from './schema-check.ts'
import { type CycleFacts, cycleFacts, factsOf } from './server-facts.ts'

const ONCE = 'ON CONFLICT (epoch, lsn, seq) DO NOTHING'

/** Part of both fences: whatever is set for the role or the database, our commit waits until it is durable. */
const DURABLE = `CASE WHEN current_setting('synchronous_commit') IN ('off', 'local', 'remote_write')
  THEN set_config('synchronous_commit', 'on', true) END AS durable`

/**
 * Stores a short batch and reads all that the cycle must know, in one statement. Every row of the insert needs the
 * fence, which is the update of the head. It also checks the slot's place: once the new head is stored, the facts could
 * no longer show that others had moved the slot.
 */
const STORE_AT_ONCE = `
  WITH fault AS MATERIALIZED (${ALTERED_TABLES}),
  unseen AS MATERIALIZED (SELECT ${unseenAmong('$24')} AS found),
  fence AS (
    UPDATE tidemark.epoch SET head_lsn = greatest(head_lsn, $19::pg_lsn)
    WHERE id = $1 AND ended_at IS NULL AND head_lsn = $20::pg_lsn AND NOT EXISTS (SELECT FROM fault)
      AND NOT (SELECT found FROM unseen) AND NOT ${unplacedBeyond('$23')}
      AND (SELECT s.confirmed_flush_lsn FROM pg_replication_slots s WHERE s.slot_name = $21) <= $22::pg_lsn
    RETURNING id, ${DURABLE}
  ),
  stored AS (${INSERT_SELECT} JOIN fence ON fence.id = $1 ${ONCE})
  SELECT (SELECT count(*) FROM fault)::text AS faults, (SELECT count(*) FROM fence)::text AS fenced,
    (SELECT found FROM unseen)::text AS unseen, pg_current_xact_id()::text AS xid, facts.*
  FROM (${factsOf('$21', 'EXISTS (SELECT FROM fault)')}) AS facts`

/** Pages are stored at this many rows or characters, whichever comes first. */
const PAGE_ROWS = 5_000
const PAGE_CHARS = 2 * 1024 * 1024
/** Rows that were stored before their transaction was annotated are updated this many at a time. */
const ANNOTATE_ROWS = 50_000

/** Stores the rows of one batch; nothing of it is durable before the whole batch is. */
export interface BatchStore {
  /** Called once, before the first row. Throws `unavailable` when the epoch has ended or its head has moved. */
  fence(): Promise<void>
  add(header: TransactionHeader, seq: number, row: HistoryRow): void
  /** Gives this metadata to all `count` rows of the transaction that was added last. */
  annotate(lsn: Lsn, metadata: string, count: number): Promise<void>
  readonly isPageFull: boolean
  /** Sends the page begun; resolves once few enough pages are under way. */
  flush(): Promise<void>
  /** Stores the last page and the head; `xids` are all transactions that were decoded, as 64-bit ids. */
  finish(head: Lsn, xids: readonly string[]): Promise<void>
  /** True where `finish` checks the schema by itself. */
  readonly checksSchema: boolean
  /** Throws `schema-drift` when a table was altered behind our back; looks once these transactions are visible. */
  requireSchema(xids: readonly string[]): Promise<void>
}

/** Stores rows page by page in the open transaction; up to `PAGES_UNDER_WAY` are sent while the next is gathered. */
export class PagedStore extends HistoryPage implements BatchStore {
  readonly checksSchema = false
  readonly #transaction: DatabaseTransaction
  readonly #unplacedTo: number
  /** It looks for conflicts only where history holds rows above the head: that costs a fifth of the insert. */
  #insert = INSERT_SELECT
  readonly #pending: Promise<unknown>[] = []
  /** The last transaction of the last page sent, which may go on in the next. */
  #sentTo: Lsn | null = null

  constructor(transaction: DatabaseTransaction, epoch: string, head: Lsn, unplacedTo: number) {
    super(epoch, head)
    this.#transaction = transaction
    this.#unplacedTo = unplacedTo
  }

  async fence(): Promise<void> {
    const [row] = await this.#transaction.query(
      `SELECT ${DURABLE}, (SELECT max(lsn) FROM tidemark.change_history WHERE epoch = $1) > head_lsn AS beyond
       FROM tidemark.epoch WHERE id = $1 AND ended_at IS NULL AND head_lsn = $2::pg_lsn FOR UPDATE`,
      [this.epoch, formatPgLsn(this.head)],
    )
    if (row === undefined) throw movedOn()
    this.#insert = row.beyond === 't' ? `${INSERT_SELECT} ${ONCE}` : INSERT_SELECT
  }

  get isPageFull(): boolean {
    return this.size >= PAGE_ROWS || this.chars >= PAGE_CHARS
  }

  async flush(): Promise<void> {
    if (this.#pending.length === PAGES_UNDER_WAY) await this.#pending.shift()
    if (this.size === 0) return
    this.#sentTo = this.headers.at(-1)?.lsn ?? null
    const storing = this.#transaction.rows(this.#insert, this.takeParameters())
    storing.catch(() => {}) // A later flush or `finish` throws it.
    this.#pending.push(storing)
  }

  override async annotate(lsn: Lsn, metadata: string, count: number): Promise<void> {
    await super.annotate(lsn, metadata, count)
    if (this.#sentTo !== lsn) return
    await Promise.all(this.#pending)
    for (let seq = 0; seq < count; seq += ANNOTATE_ROWS) {
      await this.#transaction.query(
        `UPDATE tidemark.change_history SET metadata = $3::jsonb
         WHERE epoch = $1 AND lsn = $2::pg_lsn AND seq >= $4::int AND seq < $5::int`,
        [this.epoch, formatPgLsn(lsn), metadata, seq, seq + ANNOTATE_ROWS],
      )
    }
  }

  async finish(head: Lsn): Promise<void> {
    await this.flush()
    await Promise.all(this.#pending)
    await this.#transaction.query('UPDATE tidemark.epoch SET head_lsn = greatest(head_lsn, $2::pg_lsn) WHERE id = $1', [
      this.epoch,
      formatPgLsn(head),
    ])
  }

  async requireSchema(xids: readonly string[]): Promise<void> {
    await Promise.all(this.#pending)
    await requireSchema(this.#transaction.query, this.#unplacedTo, xids)
  }
}

/** The furthest place at which the slot can stand if nobody else has moved it. */
export interface SlotPlace {
  readonly slotName: string
  readonly atMost: Lsn
}

/** Stores a short batch by one statement, which is its own transaction: fence, schema, rows and head in one round trip. */
export class SingleStore extends HistoryPage implements BatchStore {
  readonly checksSchema = true
  readonly #database: Database
  readonly #slot: SlotPlace
  readonly #unplacedTo: number
  readonly isPageFull = false
  /** The facts that the statement read, and its own transaction's id; null until something was stored. */
  seen: { readonly facts: CycleFacts; readonly xid: string } | null = null

  constructor(database: Database, epoch: string, head: Lsn, slot: SlotPlace, unplacedTo: number) {
    super(epoch, head)
    this.#database = database
    this.#slot = slot
    this.#unplacedTo = unplacedTo
  }

  async fence(): Promise<void> {}
  async flush(): Promise<void> {}

  async finish(head: Lsn, xids: readonly string[]): Promise<void> {
    const { slotName, atMost } = this.#slot
    const places = [formatPgLsn(head), formatPgLsn(this.head), slotName, formatPgLsn(atMost), this.#unplacedTo]
    const params = [...this.takeParameters(), ...places, JSON.stringify(xids)]
    const row = await onceSeen(async () => {
      const [found] = await this.#database.query(STORE_AT_ONCE, params)
      return found?.unseen === 'true' ? null : found
    })
    if (row?.fenced === '1') {
      this.seen = { facts: cycleFacts(row), xid: row.xid ?? '' }
      return
    }
    if (row?.faults === '0') throw movedOn()
    await this.requireSchema(xids)
    throw new TidemarkError('unavailable', 'A table was altered while its log was read; it is read again.')
  }

  async requireSchema(xids: readonly string[]): Promise<void> {
    await requireSchema(this.#database.query, this.#unplacedTo, xids)
  }
}

const movedOn = () =>
  new TidemarkError('unavailable', 'The epoch ended, or another stored its log, while it was read; it is read again.')
