import { type DefinitionInForce, extendXid, type Lsn, mutationId, TidemarkError } from '../../protocol/index.ts'
import type { RightsChange } from '../contracts.ts'
import type { BatchStore } from './batch-store.ts'
import type { SourcePage } from './change-source.ts'
import type { TransactionHeader } from './history-page.ts'
import { joinAnnotations } from './rules/annotation.ts'
import { type BatchNews, BatchTally } from './rules/batch-tally.ts'
import { joinRights, rightsOf, rightsRow } from './rules/rights.ts'
import type { BeginEvent, SourceEvent, TableEvent } from './rules/source-event.ts'
import type { TablePlans } from './rules/table-plan.ts'
import { type HistoryRow, mutationOf, toChanges } from './rules/to-changes.ts'

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
  /** The last known version below which a table was altered at an unknown place. */
  readonly unplacedTo: number
  /** Answers whether anybody subscribes to this audience. */
  readonly wanted: (audience: string) => boolean
}

/** The outcome of one peek and of storing it. */
export interface CapturedBatch {
  /** End of the last transaction stored; null when none was. */
  readonly head: Lsn | null
  /** End of the last transaction seen, stored or not. */
  readonly seenTo: Lsn | null
  /** True where the peek ran to its end, so that everything up to `upTo` was seen. */
  readonly complete: boolean
  readonly storedRows: number
  readonly news: BatchNews
  /** The version that the last transaction put in force, which ends the batch; null where none did. */
  readonly definitionVersion: number | null
  /** The contradiction to the definition that follows after `seenTo`; nothing from there on is stored. */
  readonly drift: TidemarkError | null
}

/** Thrown inside the database's transaction, to undo the rows stored so far of a transaction that drifts. */
export class DriftInTransaction extends Error {
  readonly drift: TidemarkError
  /** End of the last transaction before it. */
  readonly before: Lsn | null

  constructor(drift: TidemarkError, before: Lsn | null) {
    super(drift.message)
    this.drift = drift
    this.before = before
  }
}

/** A transaction of the log whose commit is not read yet. */
interface OpenTransaction {
  readonly begin: BeginEvent
  /** Null before its first row is stored. */
  header: TransactionHeader | null
  /** The app's annotation of the transaction, as JSON text; null where there is none. */
  metadata: string | null
  storedRows: number
  /** The first contradiction to the definition; a definition that the transaction brings may explain it. */
  drift: TidemarkError | null
  newDefinition: number | null
  rights: RightsChange | null
}

const opened = (begin: BeginEvent): OpenTransaction => ({
  begin,
  header: null,
  metadata: null,
  storedRows: 0,
  drift: null,
  newDefinition: null,
  rights: null,
})

/** Reads decoded pages to their end, or to a new definition, into a store. */
export class BatchReader {
  readonly #request: BatchRequest
  readonly #store: BatchStore
  readonly #tally: BatchTally
  /** All transactions that were decoded to their end, as 64-bit ids. */
  readonly #xids = new Set<string>()
  #open: OpenTransaction | null = null

  constructor(store: BatchStore, request: BatchRequest) {
    this.#request = request
    this.#store = store
    this.#tally = new BatchTally(request.wanted)
  }

  /** Throws what the store throws, and `DriftInTransaction`. */
  async read(pages: AsyncIterable<SourcePage>): Promise<CapturedBatch> {
    const tally = this.#tally
    let serverRows = 0
    for await (const page of pages) {
      serverRows += page.serverRows
      await this.#readPage(page.events)
      if (tally.definitionVersion !== null) break
    }
    const xids = [...this.#xids]
    const { head, seenTo, storedRows, definitionVersion, news } = tally
    if (serverRows > 0 && !(this.#store.checksSchema && head !== null)) await this.#store.requireSchema(xids)
    if (head !== null) await this.#store.finish(head, xids)
    const complete = serverRows < this.#request.maxChanges && definitionVersion === null
    return { head, seenTo, complete, storedRows, news, definitionVersion, drift: null }
  }

  async #readPage(events: readonly SourceEvent[]): Promise<void> {
    for (const event of events) {
      const open = this.#open
      if (event.type === 'begin') this.#open = opened(event)
      else if (open === null) continue
      else if (event.type === 'annotation') open.metadata = joinAnnotations(open.metadata, event.metadata)
      else if (event.type !== 'commit') await this.#readRow(open, event)
      else {
        await this.#commit(open)
        if (this.#tally.definitionVersion !== null) return
      }
    }
  }

  async #readRow(open: OpenTransaction, event: TableEvent): Promise<void> {
    if (open.begin.lsn <= this.#request.head) return
    open.rights = joinRights(open.rights, rightsOf(event))
    if (this.#request.passedOver.has(event.plan.id)) return
    let rows: HistoryRow[]
    try {
      rows = toChanges(event)
    } catch (error) {
      if (!(error instanceof TidemarkError) || error.kind !== 'schema-drift') throw error
      // A transaction that brings its own definition may change the shape; replicas hydrate anew after it.
      open.drift ??= error
      return
    }
    for (const row of rows) {
      // Only a first row makes its transaction a mutation: later ones are none, such as a restored dump inserts.
      if (row.operation === 'mutation' && open.header !== null) continue
      await this.#keep(open, row)
    }
    if (this.#store.isPageFull) await this.#store.flush()
  }

  async #keep(open: OpenTransaction, row: HistoryRow): Promise<void> {
    if (open.header === null && this.#tally.storedRows === 0) await this.#store.fence()
    open.header ??= this.#headerOf(open, row)
    let { header } = open
    if (row.operation === 'definition') {
      open.newDefinition = Number(JSON.parse(row.data ?? '{}').version)
      // The row itself already belongs to the version it announces.
      header = { ...header, schemaVersion: open.newDefinition }
    }
    this.#store.add(header, open.storedRows, row)
    open.storedRows += 1
    this.#tally.addRow(row)
  }

  #headerOf({ begin, metadata }: OpenTransaction, first: HistoryRow): TransactionHeader {
    const { lsn, xid, committedAt } = begin
    const mutation = mutationOf(first)
    return {
      lsn,
      xid,
      transactionId: String(extendXid(xid, this.#request.xidHorizon)),
      committedAt,
      schemaVersion: this.#request.definition.version,
      clientId: mutation?.client ?? null,
      mutationId: mutation && mutationId(mutation.client, mutation.counter),
      metadata,
    }
  }

  async #commit(open: OpenTransaction): Promise<void> {
    const { begin, rights, metadata } = open
    const tally = this.#tally
    if (open.drift !== null && open.newDefinition === null) throw new DriftInTransaction(open.drift, tally.seenTo)
    if (rights !== null) {
      // The row of rights is the last of its transaction.
      await this.#keep(open, rightsRow(rights))
      tally.addRights(rights)
    }
    if (open.header !== null && metadata !== null && metadata !== open.header.metadata) {
      await this.#store.annotate(begin.lsn, metadata, open.storedRows)
    }
    this.#xids.add(String(extendXid(begin.xid, this.#request.xidHorizon)))
    tally.commit(begin, open.header !== null)
    tally.definitionVersion = open.newDefinition
    this.#open = null
  }
}
