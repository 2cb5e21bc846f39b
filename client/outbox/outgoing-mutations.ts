import { z } from 'zod'
import { LIMITS, type Outcome, type PatchRow, patchRowSchema, type Rejection, type Row } from '../../protocol/index.ts'
import type { Journal } from '../journal/journal.ts'
import type { FrozenRecord } from '../journal/rules/records.ts'
import { changedColumns, rowId } from '../mutations/rules/captured-write.ts'
import { dependencies, type Effects } from '../mutations/rules/dependents.ts'
import { rowName } from '../mutations/rules/merge-rows.ts'
import { mutationRequest, type Request, type Unsent } from '../mutations/rules/mutation-request.ts'
import { orderRows } from '../mutations/rules/order-rows.ts'
import { type PatchTables, patchTables } from '../mutations/rules/patch-of-writes.ts'
import { predictedChanges } from '../mutations/rules/predicted-changes.ts'
import { type Squash, type Squashable, squash } from '../mutations/rules/squash.ts'
import { tableTies } from '../mutations/rules/table-ties.ts'
import { COUNTERS, type StoredWrite, storedWrite, type WriteRow, writesOf } from '../mutations/unsettled-mutations.ts'
import type { Copy, Executor } from '../store/copies.ts'
import type { Database } from '../store/database.ts'
import { keyRow, keyText, tableOf } from '../store/replica-table.ts'
import type { DrainHost, Outgoing } from './drain.ts'
import type { Outbox } from './outbox.ts'
import { cutBatch, type Frozen } from './rules/batch.ts'
import { isOwn, type UndoHistory } from './undo-history.ts'

const patch = z
  .string()
  .nullable()
  .transform((text): PatchRow[] | null => (text === null ? null : z.array(patchRowSchema).parse(JSON.parse(text))))
const counter = z.coerce.number()

const newSchema = z.object({
  counter,
  kind: z.enum(['patch', 'action']),
  sealed: z.boolean(),
  effective: z.boolean(),
  origin: z.string(),
  patch,
})

const waitingSchema = z.object({
  counter,
  kind: z.enum(['patch', 'action']),
  name: z.string().nullable(),
  args: z.string().nullable(),
  at: z.string(),
  patch,
  request: z.string().nullable(),
})

type Waiting = z.infer<typeof waitingSchema>
type Sendable = Exclude<Request, { tooLarge: Rejection }>

/** The answer of `tidemark.unsent`; its writes are our own rows, as they are stored. */
const unsentSchema = z.object({
  last: z.number(),
  fresh: z.array(newSchema),
  writes: z.array(z.custom<WriteRow>()).transform((rows) => rows.map(storedWrite)),
  waiting: z.array(waitingSchema),
})

type UnsentMutations = z.infer<typeof unsentSchema>

/** This many confirmed mutations stay to be looked at; the oldest that nothing unsettled builds on go. */
const KEPT = 2_000
const FORGET = `
  DELETE FROM tidemark.mutation WHERE coalesce(squashed_into, counter) IN
    (SELECT counter FROM tidemark.mutation WHERE status = 'confirmed' AND counter <= $1)`

/** Takes mutations out of the outbox in their order, squashed and frozen, and puts outcomes back. */
export class OutgoingMutations implements Pick<DrainHost, 'next' | 'take'> {
  readonly #db: Database
  readonly #outbox: Outbox
  readonly #shown: () => Copy | null
  readonly #history: Pick<UndoHistory, 'take'>
  readonly #journal: Pick<Journal, 'freezing'> | null
  readonly #squashed: () => void
  /** The last mutation that was looked at for squashing. */
  #seen = 0
  /** For each unsent mutation, those on which it builds. */
  #after: ReadonlyMap<number, readonly number[]> = new Map()

  constructor(options: {
    readonly db: Database
    readonly outbox: Outbox
    readonly shown: () => Copy | null
    /** Takes up what each mutation did by itself, before another takes it in. */
    readonly history: Pick<UndoHistory, 'take'>
    /** Records mutations before they are squashed, and frozen texts before they leave. */
    readonly journal: Pick<Journal, 'freezing'> | null
    /** Called when mutations were taken in, which end as others do, or came to nothing, which are confirmed. */
    readonly squashed: () => void
  }) {
    this.#db = options.db
    this.#outbox = options.outbox
    this.#shown = options.shown
    this.#history = options.history
    this.#journal = options.journal
    this.#squashed = options.squashed
  }

  async next(): Promise<Outgoing> {
    for (;;) {
      const freeze = (tx: Executor) => this.#freeze(tx)
      const { outgoing, tooLarge } = await (this.#journal?.freezing(freeze) ?? this.#db.transaction(freeze))
      // Each turn fails those it found, so that the next one finds others.
      for (const [number, rejection] of tooLarge) await this.#outbox.reject(number, rejection)
      if (outgoing.mutations.length > 0 || tooLarge.size === 0) return outgoing
    }
  }

  async take(outcomes: readonly Outcome[]): Promise<void> {
    const committed = outcomes.filter(({ status }) => status === 'committed')
    if (committed.length > 0) {
      await this.#db.query(
        `UPDATE tidemark.mutation m SET outcome = told.value::text FROM json_array_elements($1::text::json) AS told
         WHERE m.counter = (told.value ->> 'counter')::bigint AND m.status = 'sent'`,
        [JSON.stringify(committed)],
      )
    }
    await this.#outbox.rejectAll(outcomes)
  }

  async #freeze(
    tx: Executor,
  ): Promise<{ outgoing: Outgoing; tooLarge: Map<number, Rejection>; frozen: readonly FrozenRecord[] }> {
    const copy = this.#shown()
    const { waiting, writes } = await this.#lookAtNew(tx, copy)
    const tooLarge = new Map<number, Rejection>()
    const fresh = new Map<number, Sendable>()
    const frozen: Frozen[] = []
    for (const mutation of waiting) {
      if (mutation.request !== null) frozen.push({ counter: mutation.counter, request: mutation.request })
      if (mutation.request !== null) continue
      // Without tables no request can be made of it, and none behind it may go first.
      if (!copy) break
      // What is said of a table that waits to be loaded is said in names that no version has.
      if (copy.behind.size > 0 && (await this.#touchesBehind(tx, copy, mutation))) break
      const request = mutationRequest(await this.#unsent(tx, copy, mutation, writes))
      if ('tooLarge' in request) tooLarge.set(mutation.counter, request.tooLarge)
      // Mutations that build on one that is too large fail with it.
      if ('tooLarge' in request) break
      fresh.set(mutation.counter, request)
      frozen.push({ counter: mutation.counter, request: request.text })
    }
    const mutations = cutBatch(frozen, { mutations: LIMITS.pushMutations, chars: LIMITS.pushChars })
    const kept = mutations.flatMap(({ counter: number }) => {
      const request = fresh.get(number)
      return request ? [{ counter: number, ...request }] : []
    })
    const acknowledged = await keepRequests(tx, kept)
    for (const { counter: number, predicted } of kept) if (predicted) this.#outbox.keepPrediction(number, predicted)
    if (acknowledged > KEPT) await tx.query(FORGET, [acknowledged - KEPT])
    const hasMore = mutations.length < waiting.length
    return {
      outgoing: { acknowledged, mutations, hasMore, isHeld: mutations.length === 0 && hasMore && tooLarge.size === 0 },
      tooLarge,
      frozen: this.#journal ? await frozenRecords(tx, kept) : [],
    }
  }

  async #unsent(
    tx: Executor,
    copy: Copy,
    { counter: number, kind, name, args, at, patch: rows }: Waiting,
    known: readonly StoredWrite[],
  ): Promise<Unsent> {
    const common = { counter: number, at, version: copy.definition.version, after: this.#after.get(number) ?? [] }
    if (kind === 'patch') return { ...common, kind, rows: rows ?? [] }
    const writes = known.length > 0 ? known.filter((write) => write.counter === number) : await writesOf(tx, [number])
    const predicted = predictedChanges(writes, copy.tables)
    return { ...common, kind, name: name ?? '', args: JSON.parse(args ?? 'null'), predicted }
  }

  async #touchesBehind(tx: Executor, { behind }: Copy, { counter: number, patch: rows }: Waiting): Promise<boolean> {
    if (rows) return rows.some(({ t }) => behind.has(t))
    return (await writesOf(tx, [number])).some(({ table }) => behind.has(table))
  }

  async #read(tx: Executor): Promise<UnsentMutations> {
    const { rows } = await tx.query<{ unsent: string }>('SELECT tidemark.unsent($1, $2) AS unsent', [
      this.#seen,
      LIMITS.pushMutations + 1,
    ])
    return unsentSchema.parse(JSON.parse(rows[0]?.unsent ?? ''))
  }

  /** Looks once at each new mutation: what it does, on which others it builds, and what takes it in. */
  async #lookAtNew(tx: Executor, copy: Copy | null): Promise<UnsentMutations> {
    const found = await this.#read(tx)
    if (!copy || found.last <= this.#seen) return found
    if (found.fresh.some(({ kind, patch: rows }) => kind === 'patch' && rows === null)) {
      await this.#outbox.sealNew(tx, copy.tables)
      return this.#takeNew(tx, copy, await this.#read(tx))
    }
    return this.#takeNew(tx, copy, found)
  }

  async #takeNew(tx: Executor, copy: Copy, found: UnsentMutations): Promise<UnsentMutations> {
    const made = new Set(found.fresh.filter(({ origin }) => isOwn(origin)).map(({ counter: number }) => number))
    this.#history.take(
      copy,
      found.writes.filter((write) => made.has(write.counter)),
    )
    const tables = patchTables(copy.tables)
    const writes = Map.groupBy(found.writes, (write) => write.counter)
    const effects = [...writes].map(([number, own]) => effectsOf(number, own)).sort((a, b) => a.counter - b.counter)
    const after = dependencies(effects, tables.keys)
    const squashables = found.fresh.map(({ counter: number, kind, patch: changed, sealed, effective }): Squashable => {
      const own = writes.get(number) ?? []
      return {
        counter: number,
        kind,
        open: kind === 'patch' && !sealed && effective,
        rows: changed ?? [],
        cascaded: own.filter(({ cascade }) => cascade).map((write) => nameOfWrite(write, copy)),
        after: after.get(number) ?? [],
      }
    })
    const squashes = squash(squashables, tableTies(tables))
    for (const one of squashes) {
      await keepSquash(tx, { ...one, rows: inOrder(one, writes, tables) })
      after.set(one.counter, [...one.after])
    }
    const headOf = new Map(squashes.flatMap(({ counter: head, taken }) => taken.map((one) => [one, head])))
    this.#after = new Map(
      [...after].map(([number, on]) => [
        number,
        [...new Set(on.map((one) => headOf.get(one) ?? one))].filter((one) => one !== number),
      ]),
    )
    this.#seen = found.last
    if (squashes.length === 0) return found
    this.#squashed()
    return this.#read(tx)
  }
}

const nameOfWrite = ({ table: t, before, after }: StoredWrite, copy: Copy) =>
  rowName({ t, k: keyRow(copy.tables, t, before ?? after ?? {}) })

function effectsOf(number: number, writes: readonly StoredWrite[]): Effects {
  const own = writes.filter(({ cascade }) => !cascade)
  return {
    counter: number,
    rows: own.map(({ table, key, op, before, after }) => {
      const changed = before && after ? changedColumns(before, after) : []
      const values = op === 'update' ? Object.fromEntries(changed.map((name) => [name, after?.[name] ?? null])) : after
      return { table, key, op, values }
    }),
  }
}

/** Puts the net rows of several patches in an order that constraints allow. */
function inOrder(
  { counter: head, taken, rows }: Squash,
  writes: ReadonlyMap<number, readonly StoredWrite[]>,
  tables: PatchTables,
): readonly PatchRow[] {
  if (taken.length === 0) return rows
  const firsts = new Map<string, Row | null>()
  const lasts = new Map<string, Row | null>()
  for (const write of [head, ...taken].flatMap((number) => writes.get(number) ?? [])) {
    const id = rowId(write.table, write.key)
    if (!firsts.has(id)) firsts.set(id, write.before)
    lasts.set(id, write.after)
  }
  const nets = rows.map((row) => {
    const id = rowId(row.t, keyText(tableOf(tables.tables, row.t), row.k))
    return {
      row,
      before: row.o === 'i' ? null : (firsts.get(id) ?? null),
      after: row.o === 'd' ? null : (lasts.get(id) ?? null),
    }
  })
  return orderRows(nets, tables.keys, tables.uniques)
}

/** Freezes these requests, and answers the counter up to which outcomes are never asked for again. */
async function keepRequests(
  tx: Executor,
  requests: readonly (Sendable & { readonly counter: number })[],
): Promise<number> {
  const kept = requests.map(({ counter: number, text, predicted }) => ({
    counter: number,
    request: text,
    predicted: predicted && JSON.stringify(predicted),
  }))
  const { rows } = await tx.query<{ acknowledged: number | string }>('SELECT tidemark.freeze($1) AS acknowledged', [
    JSON.stringify(kept),
  ])
  return Number(rows[0]?.acknowledged ?? 0)
}

/** Answers the journal's records of the requests that leave. */
async function frozenRecords(
  tx: Executor,
  requests: readonly (Sendable & { readonly counter: number })[],
): Promise<FrozenRecord[]> {
  if (requests.length === 0) return []
  const { rows } = await tx.query<{ head: number | string; counter: number | string }>(
    `SELECT squashed_into AS head, counter FROM tidemark.mutation WHERE squashed_into IN ${COUNTERS('$1')}`,
    [JSON.stringify(requests.map(({ counter: number }) => number))],
  )
  const taken = Map.groupBy(rows, ({ head }) => Number(head))
  return requests.map(({ counter: number, text, predicted }) => ({
    t: 'frozen',
    counter: number,
    request: text,
    predicted: predicted && JSON.stringify(predicted),
    took: (taken.get(number) ?? []).map((one) => Number(one.counter)),
  }))
}

/** Stores a squash: mutations taken in leave the outbox, and end as the one that took them in. */
async function keepSquash(tx: Executor, { counter: head, taken, rows }: Squash): Promise<void> {
  const parameters = [head, JSON.stringify(taken)]
  await tx.query('UPDATE tidemark.mutation SET patch = $2 WHERE counter = $1', [head, JSON.stringify(rows)])
  if (taken.length > 0) {
    await tx.query(`UPDATE tidemark.write SET counter = $1 WHERE counter IN ${COUNTERS('$2')}`, parameters)
    await tx.query(
      `UPDATE tidemark.mutation SET squashed_into = $1, status = 'confirmed'
       WHERE counter IN ${COUNTERS('$2')} OR squashed_into IN ${COUNTERS('$2')}`,
      parameters,
    )
    for (const statement of NET_WRITES) await tx.query(statement, [head])
  }
  if (rows.length > 0) return
  await tx.query(`UPDATE tidemark.mutation SET status = 'confirmed' WHERE counter = $1`, [head])
  await tx.query('DELETE FROM tidemark.write WHERE counter = $1', [head])
}

/** Leave one write of each row, from its first image to its last, or none: others are based on its last state. */
const NET_WRITES = [
  `UPDATE tidemark.write f SET after = l.after,
     op = CASE WHEN f.before IS NULL THEN 'insert' WHEN l.after IS NULL THEN 'delete' ELSE 'update' END
   FROM (SELECT min(position) AS first, max(position) AS last FROM tidemark.write WHERE counter = $1 GROUP BY table_id, key) n
   JOIN tidemark.write l ON l.position = n.last WHERE f.position = n.first AND n.first < n.last`,
  `DELETE FROM tidemark.write WHERE counter = $1 AND position NOT IN (
     SELECT min(position) FROM tidemark.write WHERE counter = $1 GROUP BY table_id, key)`,
  'DELETE FROM tidemark.write WHERE counter = $1 AND before IS NOT DISTINCT FROM after',
]
