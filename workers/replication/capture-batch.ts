import {
  type DefinitionInForce,
  extendXid,
  LIMITS,
  type Lsn,
  mutationId,
  TidemarkError,
  type Transaction,
  type TransactionMutation,
} from '../../protocol/index.ts'
import type { RightsChange } from '../contracts.ts'
import type { Database, DatabaseTransaction } from '../database/index.ts'
import { type BatchStore, PagedStore, SingleStore, type TransactionHeader } from './batch-store.ts'
import type { ChangeSource, SourcePage } from './change-source.ts'
import { joinAnnotations } from './rules/annotation.ts'
import { toChange, toMutation } from './rules/deliverable.ts'
import { joinRights, rightsOf, rightsRow } from './rules/rights.ts'
import type { BeginEvent, SourceEvent, TableEvent } from './rules/source-event.ts'
import type { TablePlans } from './rules/table-plan.ts'
import { type HistoryRow, toChanges } from './rules/to-changes.ts'

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
  /** Ids of tables whose rows are passed over: a later definition, already stored, has replicas load them anew. */
  readonly passedOver: ReadonlySet<string>
  /** The last version known of tables that were altered at an unknown place below it. */
  readonly unplacedTo: number
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
  /** Those of the wanted audiences that something happened to. */
  readonly audiences: ReadonlySet<string>
  /** A TRUNCATE or a new definition: everyone is told. */
  readonly everyone: boolean
  /** What the wanted audiences are told; null above `LIMITS.deliveryBytes`, when they read history instead. */
  readonly transactions: readonly Transaction[] | null
  /** Whose rights the stored transactions may change; null: nobody's. */
  readonly rights: RightsChange | null
  /** Whether a mutation was committed, whoever hears of it. */
  readonly hasMutations: boolean
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
 * Peeks once and stores what is new, all in one transaction that is durable when this resolves. With a `reader`, a connection
 * of its own, the next page is read while one is stored.
 *
 * Throws what the database throws; a drift is not thrown, since the transactions before it are stored.
 */
export async function captureBatch(
  database: Database,
  source: ChangeSource,
  request: BatchRequest,
  reader: Database | null = null,
): Promise<CapturedBatch> {
  const store = (reading: DatabaseTransaction, storing: DatabaseTransaction) =>
    new BatchReader(new PagedStore(storing, request.epoch, request.head, request.unplacedTo), request).read(
      source.peek(reading, request),
    )
  try {
    if (reader === null) return await database.transaction((both) => store(both, both))
    return await reader.transaction((reading) => database.transaction((storing) => store(reading, storing)))
  } catch (error) {
    if (!(error instanceof DriftInTransaction)) throw error
    if (error.before === null || error.before <= request.head) return emptyBatch(error.drift)
    const before = await captureBatch(database, source, { ...request, upTo: error.before }, reader)
    return { ...before, complete: false, drift: before.drift ?? error.drift }
  }
}

export interface StoredShortPeek {
  readonly batch: CapturedBatch
  /** Null where there was nothing to store. */
  readonly seen: SingleStore['seen']
}

/**
 * Stores a short peek that was already made, by one statement; durable when this resolves. Null where that will not do and
 * `captureBatch` must peek anew: nothing is stored then.
 *
 * Throws what the database throws.
 */
export async function storeShortPeek(
  database: Database,
  source: ChangeSource,
  rows: readonly string[],
  request: BatchRequest,
  slotAtMost: Lsn,
): Promise<StoredShortPeek | null> {
  async function* page(): AsyncGenerator<SourcePage> {
    yield { events: source.decode(rows, request.plans), serverRows: rows.length }
  }
  try {
    const slot = { slotName: request.slotName, atMost: slotAtMost }
    const store = new SingleStore(database, request.epoch, request.head, slot, request.unplacedTo)
    const batch = await new BatchReader(store, request).read(page())
    return { batch, seen: store.seen }
  } catch (error) {
    if (error instanceof DriftInTransaction) return null
    if (error instanceof TidemarkError && error.kind === 'schema-drift') return null
    throw error
  }
}

function emptyBatch(drift: TidemarkError): CapturedBatch {
  return {
    head: null,
    seenTo: null,
    complete: false,
    storedRows: 0,
    audiences: new Set(),
    everyone: false,
    transactions: [],
    rights: null,
    hasMutations: false,
    definitionVersion: null,
    drift,
  }
}

class BatchReader {
  readonly #request: BatchRequest
  readonly #store: BatchStore
  readonly #audiences = new Set<string>()
  #transactions: Transaction[] | null = []
  #deliveryChars = 0
  #everyone = false
  #storedRows = 0
  #head: Lsn | null = null
  #seenTo: Lsn | null = null
  /** All transactions that were told to their end, as 64-bit ids. */
  readonly #xids = new Set<string>()
  #definitionVersion: number | null = null
  #rights: RightsChange | null = null
  #hasMutations = false

  #current: BeginEvent | null = null
  #header: TransactionHeader | null = null
  #changes: Transaction['changes'][number][] = []
  #mutation: TransactionMutation | null = null
  /** What its author's client is told; null where nobody serves it. */
  #told: TransactionMutation | null = null
  #metadata: string | null = null
  #seq = 0
  #drift: TidemarkError | null = null
  #newDefinition: number | null = null
  #newRights: RightsChange | null = null

  constructor(store: BatchStore, request: BatchRequest) {
    this.#request = request
    this.#store = store
  }

  async read(pages: AsyncIterable<SourcePage>): Promise<CapturedBatch> {
    const { maxChanges } = this.#request
    let serverRows = 0
    for await (const page of pages) {
      serverRows += page.serverRows
      await this.#readPage(page.events)
      if (this.#definitionVersion !== null) break
    }
    const xids = [...this.#xids]
    if (serverRows > 0 && !(this.#store.checksSchema && this.#head !== null)) await this.#store.requireSchema(xids)
    if (this.#head !== null) await this.#store.finish(this.#head, xids)
    return {
      head: this.#head,
      seenTo: this.#seenTo,
      complete: serverRows < maxChanges && this.#definitionVersion === null,
      storedRows: this.#storedRows,
      audiences: this.#audiences,
      everyone: this.#everyone,
      transactions: this.#transactions,
      rights: this.#rights,
      hasMutations: this.#hasMutations,
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
      } else if (event.type === 'annotation') this.#annotate(event.metadata)
      else if (this.#current !== null) await this.#row(event)
    }
  }

  #begin(event: BeginEvent): void {
    this.#current = event
    this.#header = null
    this.#changes = []
    this.#mutation = null
    this.#told = null
    this.#metadata = null
    this.#seq = 0
    this.#drift = null
    this.#newDefinition = null
    this.#newRights = null
  }

  #annotate(metadata: string): void {
    this.#metadata = joinAnnotations(this.#metadata, metadata)
  }

  async #row(event: TableEvent): Promise<void> {
    const current = this.#current
    if (current === null || current.lsn <= this.#request.head) return
    this.#newRights = joinRights(this.#newRights, rightsOf(event))
    if (this.#request.passedOver.has(event.plan.id)) return
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
      const mutation = toMutation(row)
      // A mutation is its whole transaction, and comes first: what a restored dump inserts is none.
      if (mutation !== null && this.#header !== null) continue
      this.#mutation ??= mutation
      if (this.#header === null) await this.#openTransaction(current)
      if (this.#header !== null) this.#keep(row, this.#header)
    }
    if (this.#store.isPageFull) await this.#store.flush()
  }

  async #openTransaction(current: BeginEvent): Promise<void> {
    const mutation = this.#mutation
    if (this.#storedRows === 0) await this.#store.fence()
    this.#header = {
      lsn: current.lsn,
      xid: current.xid,
      transactionId: String(extendXid(current.xid, this.#request.xidHorizon)),
      committedAt: current.committedAt,
      schemaVersion: this.#request.definition.version,
      clientId: mutation?.client ?? null,
      mutationId: mutation && mutationId(mutation.client, mutation.counter),
      metadata: this.#metadata,
    }
  }

  #keep(row: HistoryRow, header: TransactionHeader): void {
    if (row.operation === 'definition') {
      this.#newDefinition = Number(JSON.parse(row.data ?? '{}').version)
      this.#everyone = true
      // The row itself already belongs to the version it announces.
      this.#store.add({ ...header, schemaVersion: this.#newDefinition }, this.#seq, row)
    } else {
      this.#store.add(header, this.#seq, row)
    }
    this.#seq += 1
    this.#storedRows += 1
    this.#hasMutations ||= row.operation === 'mutation'
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
      this.#told = null
      return
    }
    if (row.operation === 'mutation') this.#told = this.#mutation
    const change = toChange(row)
    if (change !== null) this.#changes.push(change)
  }

  async #commit(): Promise<void> {
    const current = this.#current
    if (current === null) return
    if (this.#drift !== null && this.#newDefinition === null) throw new DriftInTransaction(this.#drift, this.#seenTo)
    if (this.#newRights !== null) await this.#keepRights(current, this.#newRights)
    this.#seenTo = current.lsn
    this.#xids.add(String(extendXid(current.xid, this.#request.xidHorizon)))
    if (this.#header !== null) this.#head = current.lsn
    if (this.#header !== null && this.#metadata !== null && this.#metadata !== this.#header.metadata) {
      await this.#store.annotate(current.lsn, this.#metadata, this.#seq)
    }
    if (this.#transactions !== null && (this.#changes.length > 0 || this.#told !== null)) {
      const { lsn, xid, committedAt } = current
      const told = this.#told === null ? {} : { mutation: this.#told }
      this.#transactions.push({ lsn, xid, committedAt, changes: this.#changes, ...told })
    }
    this.#definitionVersion = this.#newDefinition
    this.#current = null
  }

  /** Last of its transaction; everyone is told, since who serves whom is not known here. */
  async #keepRights(current: BeginEvent, rights: RightsChange): Promise<void> {
    if (this.#header === null) await this.#openTransaction(current)
    if (this.#header !== null) this.#keep(rightsRow(rights), this.#header)
    this.#rights = joinRights(this.#rights, rights)
    this.#everyone = true
  }
}
