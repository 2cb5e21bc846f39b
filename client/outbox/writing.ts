import type { Transaction as PGliteTransaction } from '@electric-sql/pglite'
import { z } from 'zod'
import { type Outcome, rejectionSchema, TidemarkError, toTidemarkError } from '../../protocol/index.ts'
import type { ConnectionPhase, ConnectionState } from '../connection/connection-state.ts'
import type { Http } from '../connection/http.ts'
import type { Copy } from '../replica/books.ts'
import type { Database } from '../replica/database.ts'
import type { ReplicaStatus, StatusStore } from '../replica/status.ts'
import { Confirmations, type Settled } from './confirmations.ts'
import { Drain, type DrainHost, type Outgoing } from './drain.ts'
import { Failures } from './failures.ts'
import type { Failure, MutationHandle, MutationId, MutationRecord } from './mutation.ts'
import { readMutations } from './mutation-records.ts'
import type { Outbox } from './outbox.ts'
import { OutgoingMutations } from './outgoing-mutations.ts'
import { connectionEvent } from './rules/connection-event.ts'
import { UndoHistory } from './undo-history.ts'

export interface WritingOptions {
  readonly db: Database
  readonly outbox: Outbox
  readonly http: Http
  readonly clientId: string
  readonly status: StatusStore
  readonly shown: () => Copy | null
}

/** A transaction's handle; `id` is null where it wrote nothing that is synced, which is confirmed from the start. */
export interface TransactionHandle<Result> {
  readonly id: MutationId | null
  readonly confirmed: Promise<void>
  readonly result: Result
}

interface Wait {
  readonly upTo: number
  readonly resolve: () => void
  readonly reject: (error: TidemarkError) => void
}

const countsSchema = z.object({
  last: z.coerce.number(),
  pending: z.coerce.number(),
  newest: z.coerce.number(),
  oldest: z.coerce.number().nullable(),
  failed: z.array(z.coerce.number()),
})

const COUNTS = `
  SELECT o.counter AS last, m.pending, coalesce(m.newest, 0) AS newest, m.oldest, coalesce(m.failed, '[]') AS failed
  FROM tidemark.owner o, (
    SELECT count(*) FILTER (WHERE status <> 'failed') AS pending, max(counter) FILTER (WHERE status = 'pending') AS newest,
      min(counter) FILTER (WHERE status <> 'failed') AS oldest,
      json_agg(counter ORDER BY counter) FILTER (WHERE status = 'failed') AS failed
    FROM tidemark.mutation WHERE status <> 'confirmed' AND squashed_into IS NULL) m`

/** Of those asked for, how they ended; one that is no more was discarded. */
const SETTLED = `
  SELECT asked.value::bigint AS counter, h.status, h.rejection, h.counter IS NULL AS discarded
  FROM json_array_elements_text($1::text::json) AS asked
  LEFT JOIN tidemark.mutation m ON m.counter = asked.value::bigint
  LEFT JOIN tidemark.mutation h ON h.counter = coalesce(m.squashed_into, m.counter)
  WHERE h.counter IS NULL OR h.status IN ('confirmed', 'failed')`

const settledSchema = z.object({
  counter: z.coerce.number(),
  status: z.string().nullable(),
  rejection: z.string().nullable(),
  discarded: z.boolean(),
})

const DISCARDED = { kind: 'refused', code: 'discarded', message: 'It was discarded here.' } as const

/** Joins the parts of writing: what is written here is sent, waited for, counted, and offered again where it failed. */
export class Writing implements DrainHost {
  failures: readonly Failure[] = []
  readonly #options: WritingOptions
  readonly #confirmations: Confirmations
  readonly #failures: Failures
  readonly #drain: Drain
  #outgoing: OutgoingMutations
  #undo: UndoHistory
  #waits = new Set<Wait>()
  #failed = ''
  /** The last mutation whose sending was asked for. */
  #newest = 0
  #refreshing: Promise<void> | null = null
  #again = false
  #stopListening: () => void = () => undefined

  constructor(options: WritingOptions) {
    const { db, outbox, http, clientId, shown } = options
    this.#options = options
    this.#confirmations = new Confirmations(clientId)
    this.#failures = new Failures({ db, outbox, clientId, shown, made: (id) => this.#made(id) })
    this.#drain = new Drain({ http, client: clientId, host: this })
    this.#undo = new UndoHistory({ outbox, shown, since: 0 })
    this.#outgoing = new OutgoingMutations({
      db,
      outbox,
      shown,
      beforeSquash: (tx, copy) => this.#undo.note(tx, copy),
    })
  }

  async start(): Promise<void> {
    const { outbox, shown } = this.#options
    const { last } = await this.#counts()
    this.#undo = new UndoHistory({ outbox, shown, since: last })
    this.#stopListening = outbox.onChange(() => this.#refreshSoon())
    await this.#refresh()
  }

  async stop(): Promise<void> {
    this.#stopListening()
    this.#drain.dispatch({ type: 'close' })
    this.#fail(new TidemarkError('unavailable', 'The replica is closed.'))
    await this.#drain.idle()
    await this.#refreshing?.catch(() => undefined)
  }

  /** What a step of the connection means for sending; `isNew`: the first time live on its socket. */
  connectionChanged(before: ConnectionPhase, state: ConnectionState, isNew: boolean): void {
    const event = connectionEvent(before, state, isNew)
    if (event) this.#drain.dispatch(event)
    // By now there may be rows to show beside failures.
    if (event?.type === 'online' || (event?.type === 'live' && event.isNew)) this.#refreshSoon()
    if (state.phase === 'refused') this.#fail(state.error)
    if (state.phase === 'offline')
      this.#fail(new TidemarkError('unavailable', 'The replica is offline: call goOnline() first.'))
  }

  /** The app asks to go on, or the page does. */
  resume(how: 'online' | 'wake'): void {
    if (how === 'wake') this.#drain.dispatch({ type: 'wake' })
    else if (this.#drain.state.phase === 'stopped' && this.#options.status.current.phase === 'live') {
      this.#drain.dispatch({ type: 'live', isNew: true })
    }
  }

  async run(name: string, args: unknown): Promise<MutationHandle> {
    return this.#made(await this.#options.outbox.run(name, args))
  }

  async transaction<Result>(work: (tx: PGliteTransaction) => Promise<Result>): Promise<TransactionHandle<Result>> {
    const { id, result } = await this.#options.outbox.transaction(work)
    return id === null ? { id, confirmed: Promise.resolve(), result } : { ...this.#made(id), result }
  }

  async undo(): Promise<MutationHandle | null> {
    const id = await this.#undo.undo(this.#options.db)
    return id === null ? null : this.#made(id)
  }

  async redo(): Promise<MutationHandle | null> {
    const id = await this.#undo.redo(this.#options.db)
    return id === null ? null : this.#made(id)
  }

  mutations(limit: number): Promise<MutationRecord[]> {
    return readMutations(this.#options.db, this.#options.clientId, { limit })
  }

  async mutation(id: string): Promise<MutationRecord | null> {
    const counter = Number(id.slice(id.lastIndexOf(':') + 1))
    if (id !== `${this.#options.clientId}:${counter}` || !Number.isSafeInteger(counter)) return null
    const [record] = await readMutations(this.#options.db, this.#options.clientId, { counter })
    return record ?? null
  }

  /** Resolves when everything written before is settled. Rejects offline, closed, refused, and where sending has stopped. */
  async settled(): Promise<void> {
    const { last, oldest } = await this.#counts()
    if (oldest === null || oldest > last) return
    const { state } = this.#drain
    if (state.phase === 'stopped' && state.error) throw state.error
    this.#drain.dispatch({ type: 'written', urgency: 'now' })
    const done = new Promise<void>((resolve, reject) => {
      this.#waits.add({ upTo: last, resolve, reject })
    })
    this.#refreshSoon()
    await done
  }

  async next(): Promise<Outgoing> {
    const outgoing = await this.#outgoing.next()
    // What was squashed to nothing is confirmed by now.
    this.#refreshSoon()
    return outgoing
  }

  async take(outcomes: readonly Outcome[]): Promise<void> {
    await this.#outgoing.take(outcomes)
  }

  told(error: TidemarkError | null): void {
    if (this.#options.status.current.pushError !== error) this.#options.status.set({ pushError: error })
    // Told before the step: an error that stops the drain is one that no retry mends.
    if (error?.retry === 'never') this.#fail(error)
  }

  #made(id: MutationId): MutationHandle {
    const counter = Number(id.slice(id.lastIndexOf(':') + 1))
    const handle = this.#confirmations.handle(counter)
    this.#newest = Math.max(this.#newest, counter)
    this.#drain.dispatch({ type: 'written', urgency: 'now' })
    this.#refreshSoon()
    return handle
  }

  async #counts(): Promise<z.infer<typeof countsSchema>> {
    const { rows } = await this.#options.db.query(COUNTS)
    return countsSchema.parse(rows[0])
  }

  /** Looks anew at what is settled, counted and failed; of several calls at a time one follows the one in hand. */
  #refreshSoon(): void {
    this.#again = true
    if (this.#refreshing) return
    this.#refreshing = this.#refresh().finally(() => {
      this.#refreshing = null
    })
    // Asked of a database that is closing, or broken: whoever uses it is told so.
    this.#refreshing.catch(() => undefined)
  }

  async #refresh(): Promise<void> {
    do {
      this.#again = false
      const { db, shown } = this.#options
      const copy = shown()
      // Whoever waits for it is told first.
      await this.#tellConfirmations()
      if (copy) await this.#undo.note(db, copy)
      const { pending, newest, oldest, failed } = await this.#counts()
      const told = `${copy !== null} ${failed}`
      const isNew = told !== this.#failed
      if (isNew) {
        this.#undo.forget(new Set(failed))
        this.failures = await this.#failures.read()
        this.#failed = told
      }
      this.#tellStatus({ pending, failed: failed.length }, isNew)
      for (const wait of [...this.#waits]) {
        if (oldest !== null && oldest <= wait.upTo) continue
        this.#waits.delete(wait)
        wait.resolve()
      }
      if (newest > this.#newest) {
        this.#newest = newest
        this.#drain.dispatch({ type: 'written', urgency: 'soon' })
      }
    } while (this.#again)
  }

  #tellStatus(counts: Pick<ReplicaStatus, 'pending' | 'failed'>, isNew: boolean): void {
    const { status } = this.#options
    const { canUndo, canRedo } = this.#undo
    const now = { ...counts, canUndo, canRedo }
    const before = status.current
    const same = (Object.keys(now) as (keyof typeof now)[]).every((name) => before[name] === now[name])
    if (!same || isNew) status.set(now)
  }

  async #tellConfirmations(): Promise<void> {
    const { waiting } = this.#confirmations
    if (waiting.length === 0) return
    const { rows } = await this.#options.db.query(SETTLED, [JSON.stringify(waiting)])
    const settled = rows.map((row): Settled => {
      const { counter, rejection, discarded } = settledSchema.parse(row)
      if (discarded) return { counter, rejection: DISCARDED }
      return { counter, rejection: rejection === null ? null : rejectionSchema.parse(JSON.parse(rejection)) }
    })
    this.#confirmations.settle(settled)
  }

  #fail(error: TidemarkError): void {
    const waits = [...this.#waits]
    this.#waits.clear()
    for (const { reject } of waits) reject(toTidemarkError(error))
  }
}
