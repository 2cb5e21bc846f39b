import { TidemarkError } from '../../protocol/index.ts'
import { REPLICATION_NAME } from '../contracts.ts'
import { type Database, openDatabase, openOver } from '../database/index.ts'
import type { DatabaseEnv, SyncEnv } from '../env.ts'
import { type ConsumerCursor, claimCursor, moveCursor, releaseCursor, WHOLE } from './consumer-cursor.ts'
import { asDriver, type PgClient } from './driver-sessions.ts'
import { type ConsumedChange, readChangesAfter, readStanding } from './read-changes.ts'
import { followDelayMs } from './rules/follow-delay.ts'

/** The way to the database: a client of the app's own driver, or the `env` of a Worker that serves Tidemark. */
export type ConsumerDatabase =
  | {
      /** Makes a client that is not connected yet, as the role that ran `tidemark migrate`. */
      readonly connect: () => PgClient
    }
  | {
      /** With the binding `REPLICATION` the database is asked only where something was captured since. */
      readonly env: DatabaseEnv & Partial<Pick<SyncEnv, 'REPLICATION'>>
    }

export type ConsumeOptions = ConsumerDatabase & {
  /** Names the cursor; two runs of one name take turns. */
  readonly name: string
  /** Where a consumer begins that is new: with what comes (default), or with everything that is kept. */
  readonly from?: 'now' | 'beginning'
  /** Handles changes in the order of their commits. Each comes at least once: again where this rejects, or the run was cut. */
  readonly handle: (changes: readonly ConsumedChange[]) => Promise<void>
  /** Only these, as `public.issue`; default all synced tables. */
  readonly tables?: readonly string[]
  /** The most changes of one call: 1 to 1,000, default 500. */
  readonly most?: number
  /** Goes on until this is aborted, looking every second while changes come and more seldom where none do, at least every 30 s. */
  readonly signal?: AbortSignal
  /**
   * Called where changes are lost to this consumer: pruned before it came (`pruned`), or not captured because the slot was lost or the
   * database put back (`new-history`). Read what you need whole; it goes on with what was captured after this call began. Without it the
   * run rejects with `rehydrate-required`.
   */
  readonly onLost?: (reason: 'pruned' | 'new-history') => Promise<void>
  /** Called with faults after which a run with `signal` tries again. Default: console.warn. */
  readonly onFault?: (error: unknown) => void
}

export interface Consumed {
  /** The number of changes that were handled. */
  readonly changes: number
  /** True where another run of this name has the cursor, so that nothing, or not all, was done. */
  readonly isTaken: boolean
}

const MOST_CHANGES = 1_000
const NAME = /^[\w.:-]{1,100}$/
const SESSION = { applicationName: 'tidemark consumer' }

/**
 * Hands all changes of synced tables to the app's own server, each at least once, and moves a cursor in the database behind what was
 * handled. Resolves when everything that is captured was handled; with `signal`, when that is aborted.
 *
 * Rejects with what `handle` throws, and with TidemarkError: `bad-input`, `unavailable`, `rehydrate-required`. With `signal` only the first
 * and the last of these end it.
 */
export async function consumeChanges(options: ConsumeOptions): Promise<Consumed> {
  checkConsumer(options)
  const { signal, onFault = console.warn } = options
  if (!signal) return runOnce(options)
  let changes = 0
  let isTaken = false
  for (let idle = 0, failed = 0; !signal.aborted; ) {
    try {
      const done = await runOnce(options)
      changes += done.changes
      isTaken = done.isTaken
      idle = done.changes > 0 ? 0 : idle + 1
      failed = 0
    } catch (error) {
      if (error instanceof TidemarkError && ['bad-input', 'rehydrate-required'].includes(error.kind)) throw error
      onFault(error)
      failed += 1
    }
    await pause(followDelayMs(idle, failed, Math.random()), signal)
  }
  return { changes, isTaken }
}

/** Forgets a consumer, so that it holds back no pruning. */
export async function removeConsumer(options: ConsumerDatabase & { readonly name: string }): Promise<void> {
  checkConsumer(options)
  await withSession(options, ({ query }) => query('DELETE FROM tidemark.consumer WHERE name = $1', [options.name]))
}

function checkConsumer({ name, most = 1 }: { readonly name: string; readonly most?: number }): void {
  if (!NAME.test(name)) throw new TidemarkError('bad-input', 'name: 1 to 100 letters, digits and signs of _.:-')
  if (!Number.isInteger(most) || most < 1 || most > MOST_CHANGES)
    throw new TidemarkError('bad-input', `most is a whole number from 1 to ${MOST_CHANGES}.`)
}

async function runOnce(options: ConsumeOptions): Promise<Consumed> {
  const capture = 'env' in options ? options.env.REPLICATION?.getByName(REPLICATION_NAME) : undefined
  const mark = capture && (await capture.owedChanges(options.name))
  if (mark === null) return { changes: 0, isTaken: false }
  const done = await withSession(options, (database) => runOn(database, options))
  // A cursor that another run has is that run's to note.
  if (capture && mark !== undefined && !done.isTaken) await capture.settleChanges(options.name, mark)
  return done
}

async function runOn({ query }: Database, options: ConsumeOptions): Promise<Consumed> {
  const { name, from = 'now', handle, tables = null, most = 500, signal } = options
  const lease = crypto.randomUUID()
  let cursor = await claimCursor(query, name, lease, from)
  if (cursor === null) return { changes: 0, isTaken: true }
  let handled = 0
  try {
    while (!signal?.aborted) {
      const standing = await readStanding(query, cursor)
      if (standing === null) throw new TidemarkError('unavailable', 'There is no current history; try again soon.')
      const isCurrent = cursor.epoch === standing.current
      const isPruned = standing.floor !== null && cursor.lsn < standing.floor
      const page = isPruned ? { changes: [], isAll: true } : await readChangesAfter(query, cursor, tables, most)
      if (page.changes.length > 0) await handle(page.changes)
      handled += page.changes.length
      const last = page.changes.at(-1)
      const isLost = isPruned || (page.isAll && !isCurrent)
      const end = { epoch: standing.current, lsn: standing.head, seq: WHOLE }
      if (isLost) await tellLost(options, isPruned ? 'pruned' : 'new-history')
      // What was read as all there is holds every change up to the head that was read before it.
      const next: ConsumerCursor | null =
        isLost || page.isAll ? end : last ? { ...cursor, lsn: last.lsn, seq: last.seq } : null
      if (next && !isSame(next, cursor) && !(await moveCursor(query, name, lease, furthest(next, last, cursor))))
        return { changes: handled, isTaken: true }
      if (next) cursor = furthest(next, last, cursor)
      if (page.isAll && !isLost) break
    }
  } finally {
    await releaseCursor(query, name, lease).catch(() => undefined)
  }
  return { changes: handled, isTaken: false }
}

const isSame = (a: ConsumerCursor, b: ConsumerCursor) => a.epoch === b.epoch && a.lsn === b.lsn && a.seq === b.seq

/** Capture may have stored more after the head was read, of which the page had some. */
function furthest(next: ConsumerCursor, last: ConsumedChange | undefined, before: ConsumerCursor): ConsumerCursor {
  if (next.epoch !== before.epoch) return next
  if (last && last.lsn > next.lsn) return { epoch: next.epoch, lsn: last.lsn, seq: last.seq }
  return next.lsn < before.lsn ? before : next
}

async function tellLost({ name, onLost }: ConsumeOptions, reason: 'pruned' | 'new-history'): Promise<void> {
  if (onLost) return onLost(reason)
  const why = reason === 'pruned' ? 'was pruned before it came' : 'was not captured: the history began anew'
  throw new TidemarkError(
    'rehydrate-required',
    `Of what ${name} is to be told, some ${why}. Pass onLost, and read there what you need whole.`,
  )
}

async function withSession<Result>(
  options: ConsumerDatabase,
  work: (database: Database) => Promise<Result>,
): Promise<Result> {
  const database = await ('env' in options
    ? openDatabase(options.env, SESSION)
    : openOver(asDriver(options.connect()), SESSION))
  try {
    return await work(database)
  } finally {
    await database.close()
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', end)
      resolve()
    }
    const timer = setTimeout(end, ms)
    signal.addEventListener('abort', end)
    if (signal.aborted) end()
  })
}
