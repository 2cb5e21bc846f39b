import { TidemarkError } from '../../protocol/index.ts'
import type { Database } from '../store/database.ts'
import { LIVE_CHANNEL, START_LIVE } from '../store/live-ddl.ts'
import { type QueryFacts, readNewestTransaction } from '../store/rows/query-facts.ts'
import { textParsers } from '../store/text-parsers.ts'
import type { RawRow } from '../store/text-result.ts'
import { examineQuery, type WatchedTables } from './examine-query.ts'
import type {
  HeldResult,
  LiveConnection,
  LiveFault,
  LiveMessage,
  LiveQueryDescription,
  QueryText,
} from './live-messages.ts'
import { faultOf, isMisfit, isOfBrokenTransaction } from './rules/live-fault.ts'
import { readNotice } from './rules/notice.ts'
import { queryKey } from './rules/query-key.ts'
import { type RunEnd, SharedQuery } from './shared-query.ts'
import { Subscription } from './subscription.ts'

export interface LiveHost {
  /** The database, without what waits for the engine itself. */
  readonly db: Pick<Database, 'query' | 'transaction' | 'listen' | 'parsers'>
  /** Resolves when the synced tables hold a whole state; rejects when they never will. */
  readonly ready: () => Promise<void>
  readonly isReady: () => boolean
  /** Called when a live query ends because it no longer fits the synced tables. */
  readonly warn: (loss: string, cause: unknown) => void
}

/** Texts of which the facts are kept, so that queries that differ in parameters alone are examined once. */
const MAX_FACTS = 200

interface OpenQuery {
  readonly shared: SharedQuery
  readonly subscription: Subscription
}

/**
 * Runs live queries beside the database: each once for all clients that ask the same, again when a commit touched what it
 * reads. Rules LIV-R1 to LIV-R9.
 */
export class LiveEngine {
  readonly #host: LiveHost
  readonly #queries = new Map<string, SharedQuery>()
  readonly #waiting = new Set<SharedQuery>()
  readonly #clients = new Set<Map<number, OpenQuery>>()
  #watched: WatchedTables = new Map()
  #facts = new Map<string, QueryFacts>()
  #newestXact = 0
  #started: Promise<void> | null = null
  #stopListening: (() => Promise<void>) | null = null
  #isRunning = false
  #isProbing = false
  #isProbeDue = false
  #probedXact = -1
  #isStopped = false

  constructor(host: LiveHost) {
    this.#host = host
  }

  /** Takes a client, to whom `send` brings messages until it is closed. */
  connect(send: (message: LiveMessage) => void): LiveConnection {
    const open = new Map<number, OpenQuery>()
    this.#clients.add(open)
    return {
      open: (query, text, held) => {
        if (this.#isStopped) send({ type: 'fault', query, fault: faultOf(closedFault()), isFinal: true })
        else open.set(query, this.#open(text, new Subscription(query, send, held ?? null)))
      },
      acknowledge: (query) => {
        const found = open.get(query)
        if (!found) return
        found.subscription.acknowledge(found.shared.outcome)
        this.#schedule(found.shared)
      },
      refresh: (query, refresh) => {
        const found = open.get(query)
        found?.subscription.addRefresh(refresh)
        if (found) this.#schedule(found.shared)
      },
      close: (query) => {
        const found = open.get(query)
        open.delete(query)
        if (found) this.#close(found)
      },
      closeClient: () => {
        for (const found of open.values()) this.#close(found)
        open.clear()
        this.#clients.delete(open)
      },
    }
  }

  /** Call it when a statement of anybody's has ended, so that queries which each commit may change run again. */
  noteCall(): void {
    const isConcerned = [...this.#queries.values()].some((one) => one.dependencies?.always || isBroken(one.fault))
    if (isConcerned) void this.#probe()
  }

  describe(): LiveQueryDescription[] {
    return [...this.#queries.values()].map((one) => one.describe())
  }

  /** Answers the names, as SQL, of the tables that open queries read. */
  get readTables(): ReadonlySet<string> {
    return new Set(
      [...this.#queries.values()].flatMap(({ dependencies }) => [...(dependencies?.tables.values() ?? [])]),
    )
  }

  /** Ends all queries; what runs is not waited for. */
  async stop(): Promise<void> {
    this.#isStopped = true
    this.#waiting.clear()
    for (const open of this.#clients) open.clear()
    this.#queries.clear()
    await this.#stopListening?.().catch(() => undefined)
  }

  #open(text: QueryText, subscription: Subscription): OpenQuery {
    const key = queryKey(text.text, text.params)
    const shared = this.#queries.get(key) ?? new SharedQuery(text)
    this.#queries.set(key, shared)
    shared.subscriptions.add(subscription)
    // One that is about to run brings its own.
    if (!shared.isStale) subscription.deliver(shared.outcome)
    this.#schedule(shared)
    return { shared, subscription }
  }

  #close({ shared, subscription }: OpenQuery): void {
    shared.subscriptions.delete(subscription)
    if (shared.subscriptions.size === 0) this.#forget(shared)
  }

  /** One that has ended is opened anew by who asks for it again. */
  #forget(shared: SharedQuery): void {
    const key = queryKey(shared.query.text, shared.query.params)
    if (this.#queries.get(key) === shared) this.#queries.delete(key)
    this.#waiting.delete(shared)
  }

  #schedule(shared: SharedQuery): void {
    if (this.#isStopped || !shared.needsRun) return
    this.#waiting.add(shared)
    if (!this.#isRunning) void this.#runWaiting()
  }

  /** One after the other, so that the app's own statements come in between. */
  async #runWaiting(): Promise<void> {
    this.#isRunning = true
    // What one commit notifies of arrives at once.
    await Promise.resolve()
    for (const shared of this.#waiting) {
      this.#waiting.delete(shared)
      if (shared.needsRun) await this.#run(shared)
      this.#schedule(shared)
    }
    this.#isRunning = false
  }

  async #run(shared: SharedQuery): Promise<void> {
    const end = shared.beginRun({ xact: this.#newestXact })
    const startMs = performance.now()
    const tookMs = () => performance.now() - startMs
    try {
      await this.#start()
      shared.dependencies ??= await this.#examine(shared.query)
      const result = await this.#read(shared.query)
      end({ result, tookMs: tookMs() })
    } catch (error) {
      if (!this.#isStopped) end(this.#endByFault(shared, error, tookMs()))
    }
  }

  #endByFault(shared: SharedQuery, error: unknown, tookMs: number): RunEnd {
    const fault = faultOf(error)
    if (!isMisfit(fault)) return { fault, isFinal: false, tookMs }
    shared.dependencies = null
    if (!shared.wasOpen) {
      if (this.#host.isReady()) return { fault, isFinal: false, tookMs }
      this.#waitForTables(shared)
      return { waits: true }
    }
    const message = `A live query no longer fits the synced tables and has ended: ${shared.query.text.slice(0, 200)}`
    this.#host.warn(message, error)
    this.#forget(shared)
    return { fault: faultOf(new TidemarkError('schema-drift', message)), isFinal: true, tookMs }
  }

  /** Rule APP-R18: it runs again once the replica is whole. */
  #waitForTables(shared: SharedQuery): void {
    this.#host.ready().then(
      () => {
        if (!shared.isWaiting) return
        shared.markStale()
        this.#schedule(shared)
      },
      (error) => shared.endWith(faultOf(error)),
    )
  }

  #start(): Promise<void> {
    this.#started ??= this.#listen().catch((error) => {
      this.#started = null
      throw error
    })
    return this.#started
  }

  async #listen(): Promise<void> {
    const { db } = this.#host
    this.#stopListening ??= await db.listen(LIVE_CHANNEL, (payload) => this.#noteNotice(payload))
    await db.transaction(async (tx) => {
      await tx.exec(START_LIVE)
    })
    // Touches of rows are told apart from the moment on from which few of them come.
    if (!this.#host.isReady())
      this.#host.ready().then(
        () => this.#examineAnew(),
        () => undefined,
      )
  }

  #examineAnew(): void {
    for (const shared of this.#queries.values()) {
      shared.dependencies = null
      shared.markStale()
      this.#schedule(shared)
    }
  }

  async #examine(query: QueryText) {
    const { db, isReady } = this.#host
    const known = { watched: this.#watched, facts: this.#facts, byKey: isReady() }
    const { facts, dependencies, watched } = await db.transaction((tx) => examineQuery(tx, query, known))
    this.#watched = watched
    // Facts that were read before a change of the schema are gone with it.
    if (known.facts === this.#facts && this.#facts.size < MAX_FACTS) this.#facts.set(query.text, facts)
    return dependencies
  }

  async #read({ text, params }: QueryText): Promise<HeldResult> {
    const { db } = this.#host
    const { rows, fields } = await db.query<RawRow>(text, [...params], { rowMode: 'array', parsers: textParsers(db) })
    return { rows, fields: fields.map(({ name, dataTypeID }) => ({ name, dataTypeID })) }
  }

  #noteNotice(payload: string): void {
    const notice = readNotice(payload)
    this.#newestXact = Math.max(this.#newestXact, notice.xact)
    if (notice.table === null) this.#facts = new Map()
    for (const shared of this.#queries.values()) {
      if (shared.noteNotice(notice)) this.#schedule(shared)
    }
  }

  async #probe(): Promise<void> {
    this.#isProbeDue = true
    if (this.#isProbing) return
    this.#isProbing = true
    while (this.#isProbeDue && !this.#isStopped) {
      this.#isProbeDue = false
      try {
        this.#noteTransactions(await readNewestTransaction(this.#host.db))
      } catch {
        // A transaction of the app's has failed and is still open: the call that ends it is noted too.
      }
    }
    this.#isProbing = false
  }

  #noteTransactions(newest: number): void {
    const isNew = newest > this.#probedXact
    this.#probedXact = newest
    for (const shared of this.#queries.values()) {
      if (!isBroken(shared.fault) && !(isNew && shared.dependencies?.always)) continue
      shared.markStale()
      this.#schedule(shared)
    }
  }
}

const isBroken = (fault: LiveFault | null) => fault !== null && isOfBrokenTransaction(fault)

const closedFault = () => new TidemarkError('unavailable', 'The replica is closed: open it again.')
