import { type DefinitionInForce, extendXid, type Lsn, maxLsn, mutationId, TidemarkError } from '../../protocol/index.ts'
import type { RightsChange } from '../contracts.ts'
import type { BatchStore } from './batch-store.ts'
import type { SourcePage } from './change-source.ts'
import type { TransactionHeader } from './history-page.ts'
import type { NextVersion } from './next-version.ts'
import { joinAnnotations } from './rules/annotation.ts'
import { type BatchNews, BatchTally } from './rules/batch-tally.ts'
import { placeAfter } from './rules/place-between.ts'
import { joinRights, rightsOf, rightsRow } from './rules/rights.ts'
import type { BeginEvent, SourceEvent, TableEvent } from './rules/source-event.ts'
import type { TablePlans } from './rules/table-plan.ts'
import { type HistoryRow, mutationOf, toChanges } from './rules/to-changes.ts'

export interface BatchRequest {
  readonly epoch: string
  /** Only transactions above it are stored. */
  readonly head: Lsn
  /** Everybody who follows the history may stand here already. */
  readonly capturedTo: Lsn
  readonly upTo: Lsn
  readonly maxChanges: number
  readonly slotName: string
  readonly definition: DefinitionInForce
  readonly plans: TablePlans
  /** Those of definitions that come on the way, where a peek before found them missing. */
  readonly ahead?: TablePlans
  readonly xidHorizon: bigint
  /** Ids of tables whose rows are passed over: a later definition, already stored, has replicas load them anew. */
  readonly passedOver: ReadonlySet<string>
  /** The version that comes after the definition, where it may come in force before the transaction that stores it. */
  readonly next: NextVersion | null
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

/**
 * Thrown inside the database's transaction where one of the log puts a definition in force with tables that were not
 * asked for: rows of them may stand after it.
 */
export class TablesNotAsked extends Error {
  readonly ahead: TablePlans

  constructor(ahead: TablePlans) {
    super('A definition names tables that the peek did not ask for.')
    this.ahead = ahead
  }
}

/**
 * Thrown inside the database's transaction where one of the log stands above the head and not above what was captured: it was
 * not there when that was read, so the log was put back and has grown anew.
 */
export class LogReplaced extends Error {}

/** A transaction of the log whose commit is not read yet. */
interface OpenTransaction {
  readonly begin: BeginEvent
  /** Null before its first row is stored. */
  header: TransactionHeader | null
  /** The app's annotation of the transaction, as JSON text; null where there is none. */
  metadata: string | null
  storedRows: number
  /** The first contradiction to the definition; one that comes after it in the transaction explains it. */
  drift: TidemarkError | null
  newDefinition: number | null
  /** The plans of all definitions that it puts in force. */
  announced: TablePlans
  rights: RightsChange | null
}

const opened = (begin: BeginEvent): OpenTransaction => ({
  begin,
  header: null,
  metadata: null,
  storedRows: 0,
  drift: null,
  newDefinition: null,
  announced: new Map(),
  rights: null,
})

const versionOf = ({ data }: HistoryRow): number => Number(JSON.parse(data ?? '{}').version)

/** Reads decoded pages to their end, or to a new definition, into a store. */
export class BatchReader {
  readonly #request: BatchRequest
  readonly #store: BatchStore
  readonly #tally: BatchTally
  readonly #asksForTables: boolean
  /** All transactions that were decoded to their end, as 64-bit ids. */
  readonly #xids = new Set<string>()
  #open: OpenTransaction | null = null

  /** `asksForTables`: the source decodes those tables alone that it is asked for. */
  constructor(store: BatchStore, request: BatchRequest, asksForTables: boolean) {
    this.#asksForTables = asksForTables
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
      if (event.type === 'begin') {
        this.#open = opened(event)
        if (await this.#beginVersion(event)) return
      } else if (open === null) continue
      else if (event.type === 'annotation') open.metadata = joinAnnotations(open.metadata, event.metadata)
      else if (event.type !== 'commit') await this.#readRow(open, event)
      else {
        await this.#commit(open)
        if (this.#tally.definitionVersion !== null) return
      }
    }
  }

  /** Puts the next version in force before the transaction that begins, where that is its place; it ends the batch. */
  async #beginVersion(begin: BeginEvent): Promise<boolean> {
    const { next, head, capturedTo, plans } = this.#request
    if (next === null || next.before === null || begin.lsn < next.before || begin.lsn <= head) return false
    const plan = [...plans.values()].find(({ own }) => own === 'sync_definition')
    if (plan === undefined) return false
    const lsn = placeAfter(maxLsn(head, capturedTo, this.#tally.seenTo ?? head))
    const open = opened({ ...begin, lsn })
    const values = [String(next.version), next.hash, next.bundles]
    for (const row of toChanges({ type: 'row', plan, old: null, new: values })) await this.#keep(open, row)
    this.#tally.commit(open.begin, true)
    this.#tally.definitionVersion = next.version
    return true
  }

  async #readRow(open: OpenTransaction, event: TableEvent): Promise<void> {
    if (open.begin.lsn <= this.#request.head) return
    open.rights = joinRights(open.rights, rightsOf(event))
    if (event.type === 'row' && event.announces) open.announced = new Map([...open.announced, ...event.announces])
    if (this.#request.passedOver.has(event.plan.id)) return
    let rows: HistoryRow[]
    try {
      rows = toChanges(event)
    } catch (error) {
      if (!(error instanceof TidemarkError) || error.kind !== 'schema-drift') throw error
      // A definition that comes after it in its transaction may have altered the table; it is loaded anew then.
      open.drift ??= error
      return
    }
    for (const row of rows) {
      // Only a first row makes its transaction a mutation: later ones are none, such as a restored dump inserts.
      if (row.operation === 'mutation' && open.header !== null) continue
      // It is in force already, from an earlier place on.
      if (row.operation === 'definition' && versionOf(row) <= this.#request.definition.version) continue
      await this.#keep(open, row)
    }
    if (this.#store.isPageFull) await this.#store.flush()
  }

  async #keep(open: OpenTransaction, row: HistoryRow): Promise<void> {
    if (open.begin.lsn <= this.#request.capturedTo) throw new LogReplaced()
    if (open.header === null && this.#tally.storedRows === 0) await this.#store.fence()
    open.header ??= this.#headerOf(open, row)
    let { header } = open
    if (row.operation === 'definition') {
      open.newDefinition = versionOf(row)
      // The row itself already belongs to the version it announces, and whatever comes after it.
      header = { ...header, schemaVersion: open.newDefinition }
      open.header = header
      open.drift = null
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
    if (open.drift !== null) throw new DriftInTransaction(open.drift, tally.seenTo)
    this.#requireAsked(open)
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

  #requireAsked({ announced }: OpenTransaction): void {
    if (!this.#asksForTables) return
    const { plans, ahead = new Map() } = this.#request
    const isAsked = (key: string) => plans.has(key) || ahead.has(key)
    if (![...announced.keys()].every(isAsked)) throw new TablesNotAsked(new Map([...ahead, ...announced]))
  }
}
