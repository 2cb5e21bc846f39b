import {
  type DefinitionInForce,
  extendXid,
  formatPgLsn,
  LIMITS,
  type Lsn,
  TidemarkError,
  type Transaction,
} from '../../protocol/index.ts'
import type { RightsChange } from '../contracts.ts'
import type { Database, DatabaseTransaction } from '../database/index.ts'
import type { ChangeSource } from './change-source.ts'
import { HistoryWriter, type TransactionHeader } from './history-writer.ts'
import { toChange } from './rules/deliverable.ts'
import { joinRights, rightsOf, rightsRow } from './rules/rights.ts'
import type { SourceEvent } from './rules/source-event.ts'
import type { TablePlans } from './rules/table-plan.ts'
import { type HistoryRow, toChanges } from './rules/to-changes.ts'
import { findSchemaFault } from './schema-check.ts'

export interface BatchRequest {
  readonly epoch: string
  /** Only transactions above it are stored. */
  readonly head: Lsn
  readonly upTo: Lsn
  readonly maxChanges: number
  readonly slotName: string
  readonly definition: DefinitionInForce
  readonly plans: TablePlans
  readonly xidHorizon: bigint
  /** Whether anybody subscribes to this audience. */
  readonly wanted: (audience: string) => boolean
}

/** What one peek brought and stored. */
export interface CapturedBatch {
  /** End of the last transaction stored; null when none was. */
  readonly head: Lsn | null
  /** End of the last transaction seen, stored or not. */
  readonly seenTo: Lsn | null
  /** The peek ran to its end: everything up to `upTo` was seen. */
  readonly complete: boolean
  readonly storedRows: number
  /** Of the wanted audiences, those that something happened to. */
  readonly audiences: ReadonlySet<string>
  /** A TRUNCATE or a new definition: everyone is told. */
  readonly everyone: boolean
  /** What the wanted audiences are told; null above `LIMITS.deliveryBytes`, when they read history instead. */
  readonly transactions: readonly Transaction[] | null
  /** Whose rights the stored transactions may change; null: nobody's. */
  readonly rights: RightsChange | null
  /** The version that the last transaction put in force; the batch ends with it. */
  readonly definitionVersion: number | null
  /** What contradicts the definition after `seenTo`; nothing of it is stored. */
  readonly drift: TidemarkError | null
}

/** Thrown inside the transaction to undo what a drifting transaction has stored so far. */
class DriftInTransaction extends Error {
  readonly drift: TidemarkError
  readonly before: Lsn | null

  constructor(drift: TidemarkError, before: Lsn | null) {
    super(drift.message)
    this.drift = drift
    this.before = before
  }
}

/**
 * Peeks once and stores what is new, all in one transaction that is durable when this resolves.
 *
 * Throws what the database throws; a drift is not thrown, since the transactions before it are stored.
 */
export async function captureBatch(
  database: Database,
  source: ChangeSource,
  request: BatchRequest,
): Promise<CapturedBatch> {
  try {
    return await database.transaction((transaction) => new BatchReader(transaction, source, request).read())
  } catch (error) {
    if (!(error instanceof DriftInTransaction)) throw error
    if (error.before === null || error.before <= request.head) return nothing(error.drift)
    const before = await captureBatch(database, source, { ...request, upTo: error.before })
    return { ...before, complete: false, drift: before.drift ?? error.drift }
  }
}

function nothing(drift: TidemarkError): CapturedBatch {
  return {
    head: null,
    seenTo: null,
    complete: false,
    storedRows: 0,
    audiences: new Set(),
    everyone: false,
    transactions: [],
    rights: null,
    definitionVersion: null,
    drift,
  }
}

class BatchReader {
  readonly #transaction: DatabaseTransaction
  readonly #source: ChangeSource
  readonly #request: BatchRequest
  readonly #writer: HistoryWriter
  readonly #audiences = new Set<string>()
  #transactions: Transaction[] | null = []
  #deliveryChars = 0
  #everyone = false
  #storedRows = 0
  #head: Lsn | null = null
  #seenTo: Lsn | null = null
  #definitionVersion: number | null = null
  #rights: RightsChange | null = null

  #current: Extract<SourceEvent, { type: 'begin' }> | null = null
  #header: TransactionHeader | null = null
  #changes: Transaction['changes'][number][] = []
  #seq = 0
  #drift: TidemarkError | null = null
  #newDefinition: number | null = null
  #newRights: RightsChange | null = null

  constructor(transaction: DatabaseTransaction, source: ChangeSource, request: BatchRequest) {
    this.#transaction = transaction
    this.#source = source
    this.#request = request
    this.#writer = new HistoryWriter(transaction, request.epoch)
  }

  async read(): Promise<CapturedBatch> {
    const { slotName, plans, upTo, maxChanges } = this.#request
    let serverRows = 0
    for await (const page of this.#source.peek(this.#transaction, { slotName, plans, upTo, maxChanges })) {
      serverRows += page.serverRows
      await this.#readPage(page.events)
      if (this.#definitionVersion !== null) break
    }
    if (serverRows > 0) await this.#requireSchema()
    if (this.#head !== null) await this.#finish(this.#head)
    return {
      head: this.#head,
      seenTo: this.#seenTo,
      complete: serverRows < maxChanges && this.#definitionVersion === null,
      storedRows: this.#storedRows,
      audiences: this.#audiences,
      everyone: this.#everyone,
      transactions: this.#transactions,
      rights: this.#rights,
      definitionVersion: this.#definitionVersion,
      drift: null,
    }
  }

  async #readPage(events: readonly SourceEvent[]): Promise<void> {
    for (const event of events) {
      if (event.type === 'begin') this.#begin(event)
      else if (event.type === 'commit') {
        await this.#commit()
        if (this.#definitionVersion !== null) return
      } else if (this.#current !== null) await this.#row(event)
    }
  }

  #begin(event: Extract<SourceEvent, { type: 'begin' }>): void {
    this.#current = event
    this.#header = null
    this.#changes = []
    this.#seq = 0
    this.#drift = null
    this.#newDefinition = null
    this.#newRights = null
  }

  async #row(event: Exclude<SourceEvent, { type: 'begin' | 'commit' }>): Promise<void> {
    const current = this.#current
    if (current === null || current.lsn <= this.#request.head) return
    this.#newRights = joinRights(this.#newRights, rightsOf(event))
    let rows: HistoryRow[]
    try {
      rows = toChanges(event)
    } catch (error) {
      if (!(error instanceof TidemarkError) || error.kind !== 'schema-drift') throw error
      // A transaction that brings its own definition may change the shape; replicas hydrate anew after it.
      this.#drift ??= error
      return
    }
    for (const row of rows) {
      if (this.#header === null) await this.#openTransaction(current)
      if (this.#header !== null) this.#keep(row, this.#header)
    }
    if (this.#writer.isPageFull) await this.#writer.flush()
  }

  async #openTransaction(current: Extract<SourceEvent, { type: 'begin' }>): Promise<void> {
    if (this.#storedRows === 0) await this.#fence()
    this.#header = {
      lsn: current.lsn,
      xid: current.xid,
      transactionId: String(extendXid(current.xid, this.#request.xidHorizon)),
      committedAt: current.committedAt,
      schemaVersion: this.#request.definition.version,
    }
  }

  #keep(row: HistoryRow, header: TransactionHeader): void {
    if (row.operation === 'definition') {
      this.#newDefinition = Number(JSON.parse(row.data ?? '{}').version)
      this.#everyone = true
      // The row itself already belongs to the version it announces.
      this.#writer.add({ ...header, schemaVersion: this.#newDefinition }, this.#seq, row)
    } else {
      this.#writer.add(header, this.#seq, row)
    }
    this.#seq += 1
    this.#storedRows += 1
    const told = row.operation === 'truncate' || (row.audience !== null && this.#request.wanted(row.audience))
    if (!told) return
    if (row.operation === 'truncate') this.#everyone = true
    else if (row.audience !== null) this.#audiences.add(row.audience)
    this.#gather(row)
  }

  #gather(row: HistoryRow): void {
    if (this.#transactions === null) return
    this.#deliveryChars += (row.key?.length ?? 0) + (row.data?.length ?? 0) + 100
    if (this.#deliveryChars > LIMITS.deliveryBytes) {
      this.#transactions = null
      this.#changes = []
      return
    }
    const change = toChange(row)
    if (change !== null) this.#changes.push(change)
  }

  async #commit(): Promise<void> {
    const current = this.#current
    if (current === null) return
    if (this.#drift !== null && this.#newDefinition === null) throw new DriftInTransaction(this.#drift, this.#seenTo)
    if (this.#newRights !== null) await this.#keepRights(current, this.#newRights)
    this.#seenTo = current.lsn
    if (this.#header !== null) this.#head = current.lsn
    if (this.#changes.length > 0 && this.#transactions !== null) {
      const { lsn, xid, committedAt } = current
      this.#transactions.push({ lsn, xid, committedAt, changes: this.#changes })
    }
    this.#definitionVersion = this.#newDefinition
    this.#current = null
  }

  /** Last of its transaction; everyone is told, since who serves whom is not known here. */
  async #keepRights(current: Extract<SourceEvent, { type: 'begin' }>, rights: RightsChange): Promise<void> {
    if (this.#header === null) await this.#openTransaction(current)
    if (this.#header !== null) this.#keep(rightsRow(rights), this.#header)
    this.#rights = joinRights(this.#rights, rights)
    this.#everyone = true
  }

  /** Before the first row: nobody else may have begun a new history, and our commit waits until it is durable. */
  async #fence(): Promise<void> {
    const [row] = await this.#transaction.query(
      `SELECT id, CASE WHEN current_setting('synchronous_commit') IN ('off', 'local', 'remote_write')
         THEN set_config('synchronous_commit', 'on', true) END AS durable
       FROM tidemark.epoch WHERE id = $1 AND ended_at IS NULL FOR UPDATE`,
      [this.#request.epoch],
    )
    if (row === undefined) throw new TidemarkError('unavailable', 'The epoch ended while its log was read.')
  }

  async #finish(head: Lsn): Promise<void> {
    await this.#writer.finish()
    await this.#transaction.query('UPDATE tidemark.epoch SET head_lsn = greatest(head_lsn, $2::pg_lsn) WHERE id = $1', [
      this.#request.epoch,
      formatPgLsn(head),
    ])
  }

  /** A table altered behind our back may have changed without a trace in what was decoded: store nothing. */
  async #requireSchema(): Promise<void> {
    const fault = await findSchemaFault(this.#transaction.query)
    if (fault !== null) throw new TidemarkError('schema-drift', fault)
  }
}
