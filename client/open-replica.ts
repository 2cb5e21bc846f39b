import type { Transaction } from '@electric-sql/pglite'
import type { Action } from '../db/action.ts'
import type { Sync } from '../db/define-sync.ts'
import { asLsn, type Lsn, parsePgLsn, TidemarkError } from '../protocol/index.ts'
import { createHttp } from './connection/http.ts'
import { SessionToken, type TokenFunction } from './connection/session-token.ts'
import { onWake } from './connection/wake.ts'
import { followCommits } from './journal/follow-commits.ts'
import { Journal } from './journal/journal.ts'
import { type FoundJournal, openJournal, requireJournal } from './journal/open-journal.ts'
import type { Learning } from './journal/rules/compare-journal.ts'
import { takeIn } from './journal/take-in.ts'
import type { Failure, MutationHandle, MutationId, MutationRecord } from './mutations/mutation.ts'
import { Outbox } from './outbox/outbox.ts'
import { askOutcomes } from './outbox/push-client.ts'
import { type TransactionHandle, Writing } from './outbox/writing.ts'
import { type Envelope, envelopeOf } from './replica/envelope.ts'
import { closedFault, offlineFault, ReplicaEngine } from './replica/replica-engine.ts'
import { Progress } from './replica/rules/progress.ts'
import type { ReplicaStatus, StatusListener } from './replica/status.ts'
import type { Database } from './store/database.ts'
import { makeLiveQueries } from './store/live-queries.ts'
import type { Release } from './store/lock-file.ts'
import { type OpenDatabase, openDatabase } from './store/open-database.ts'
import { hasJournal } from './store/open-journal-files.ts'
import { firstInUse, type Opened, openStored, removeAside, wipe } from './store/open-stored.ts'
import { openOwnSchema } from './store/own-schema.ts'
import { defaultStorages, isDevelopment } from './store/runtime.ts'
import { lockStorage } from './store/storage-lock.ts'
import { type Storage, storageFor } from './store/storage-name.ts'

export interface ReplicaOptions<S extends Sync = Sync> {
  /** Of the deployment, as far as the routes' base path: `https://app.example` or `https://app.example/base`. */
  readonly url: string
  /** Names the storage: each user has his own, and it opens offline. */
  readonly user: string
  /** Called for the first connection, and again when a token expires or is refused. */
  readonly token: TokenFunction
  /** The module that worker and page share. */
  readonly sync: S
  /** `memory://`, `idb://name`, `opfs-ahp://name` or a directory (Node, Bun); default the best there is. */
  readonly storage?: string
  /**
   * The largest load to take on, of rows and of bytes of uncompressed COPY text; beyond it the replica is `refused` with
   * `limit-exceeded` before anything is loaded. Default 1,000,000 rows and 256 MiB in a browser, ten and eight times that
   * in Node and Bun.
   */
  readonly envelope?: Partial<Envelope>
  /** Hears what of the app's own was lost when a synced table was made anew, and faults nobody else would hear. Default: the console. */
  readonly onWarning?: (warning: TidemarkError) => void
  /**
   * Called while the database is opened, with how far this is on the way to `ready`: a number from 0 to 1 that never falls, and that
   * `status.progress` goes on with.
   */
  readonly onOpening?: (progress: number) => void
  /** Runs each action twice where it is called, and warns where the two differ. Default: outside of `production`. */
  readonly development?: boolean
}

type ArgsOf<One> = One extends Action<infer Args> ? Args : never

/** The actions of a sync definition, to be called with their arguments; each answers once it is durable here. */
export type ReplicaActions<S extends Sync> = {
  readonly [Name in keyof NonNullable<S['actions']>]: (
    args: ArgsOf<NonNullable<S['actions']>[Name]>,
  ) => Promise<MutationHandle>
}

/** A local Postgres that follows what its user may see, and sends what he writes. */
export interface Replica<S extends Sync = Sync> {
  /** PGlite with live queries. Synced tables take writes as their `write` says; the app's own tables are its own. */
  readonly db: Database
  readonly status: ReplicaStatus
  /** Calls back with every new status; answers the function that ends it. */
  subscribe(listener: StatusListener): () => void
  /** Resolves when the tables first hold a whole state; rejects with `unavailable` when closed before. */
  readonly ready: Promise<void>
  /** Rejects with what the action throws, and with TidemarkError before the replica is ready; then nothing was written. */
  readonly actions: ReplicaActions<S>
  /** Runs `work` as one mutation, and answers what it answers. Rejects with what it throws; then nothing was written. */
  transaction<Result>(work: (tx: Transaction) => Promise<Result>): Promise<TransactionHandle<Result>>
  /** What failed and waits for the app to decide, oldest first; subscribers of the status hear when it changes. */
  readonly failures: readonly Failure[]
  /** The newest mutations, newest first; default 100. Long-confirmed ones are forgotten. */
  mutations(options?: { readonly limit?: number }): Promise<MutationRecord[]>
  /** The mutation of a handle's id; null of one that is not known here. */
  mutation(id: MutationId | string): Promise<MutationRecord | null>
  /** Takes back what this session last wrote, by a new mutation; null where there is nothing. Rejects with UndoRefused. */
  undo(): Promise<MutationHandle | null>
  /** Brings back what was last undone; null where there is nothing. Rejects with UndoRefused. */
  redo(): Promise<MutationHandle | null>
  /**
   * Resolves when everything written here before the call is confirmed or failed, and everything committed before it is
   * here. Rejects with TidemarkError: offline, closed, refused.
   */
  settled(): Promise<void>
  /** Resolves when the commit at this LSN is here, also after being offline. Rejects when closed or refused. */
  reached(lsn: Lsn | string): Promise<void>
  goOffline(): void
  /** Connects again; with an envelope, that one holds for loads from now on. Throws `bad-input`. */
  goOnline(options?: { readonly envelope?: Partial<Envelope> }): void
  /** Lets storage and socket go; everything pending rejects. */
  close(): Promise<void>
  /** Closes, and removes everything this user's storage holds. Rejects with `storage` where the device refuses. */
  signOut(): Promise<void>
}

/**
 * Opens the replica of one user, offline too; rows come as soon as the server is reached.
 *
 * Throws TidemarkError: `already-open` (another tab or process has it), `storage` (the device refuses), `forbidden` (the
 * storage is another user's), `bad-input`.
 */
export function openReplica<S extends Sync>(options: ReplicaOptions<S>): Promise<Replica<S>> {
  return openReplicaOn(options, openDatabase)
}

/** As `openReplica`, with the database opened by the caller. */
export async function openReplicaOn<S extends Sync>(
  options: ReplicaOptions<S>,
  open: OpenDatabase,
): Promise<Replica<S>> {
  const url = checkedUrl(options.url)
  const envelope = envelopeOf(options.envelope)
  const progress = new Progress()
  const { opened, clientId, release, storage, found, learning } = await openStorage(options, (place) =>
    open(place, (signs) => {
      progress.opening(signs)
      tellOpening(options.onOpening, progress.reached)
    }),
  )
  progress.opened()
  const { db } = opened
  const token = new SessionToken(options.token)
  const http = createHttp(url, ({ fresh }) => token.get({ fresh }))
  const { user, development = isDevelopment(), onWarning = console.warn } = options
  const warn = (message: string, cause?: unknown) => onWarning(new TidemarkError('schema-drift', message, { cause }))
  const outbox = new Outbox({
    db,
    clientId,
    user,
    syncActions: options.sync.actions ?? {},
    development,
    shown: () => engine.live,
    warn,
    outcomes: (counters, signal) => askOutcomes(http, clientId, counters, signal),
  })
  const engine = new ReplicaEngine({
    db,
    clientId,
    outbox,
    url,
    http,
    token,
    rebuilt: opened.rebuilt,
    envelope,
    warn,
    progress,
    // What cannot be removed now goes when it has outlived its time.
    revoked: () => void removeAside(storage).catch(() => undefined),
    connectionChanged: (...step) => writing.connectionChanged(...step),
  })
  const { status } = engine
  const { files, slot, state, fault, loss } = found
  const protectedBy = (unprotected: string | null) => status.set({ unprotected })
  const journal =
    files &&
    new Journal({
      files,
      db: { query: db.query.bind(db), transaction: db.transaction.bind(db), listen: db.listen.bind(db) },
      user,
      client: clientId,
      slot,
      generation: state?.generation ?? 0,
      protectedBy,
      nowMs: Date.now,
    })
  if (fault !== null) protectedBy(fault instanceof Error ? fault.message : String(fault))
  if (loss !== null) onWarning(new TidemarkError('storage', loss))
  const writing = new Writing({ db, outbox, http, clientId, status, shown: () => engine.shown, journal })
  try {
    await writing.start()
    await engine.start(async () => {
      if (learning) await outbox.learn(learning)
      if (!journal) return
      await journal.begin()
      followCommits(db, () => journal.settle())
    })
  } catch (error) {
    await writing.stop()
    await engine.stop()
    await journal?.close().catch(() => undefined)
    await db.close()
    await release()
    throw error
  }
  const { live } = await import('@electric-sql/pglite/live')
  const replica = replicaOf<S>({
    engine,
    writing,
    db,
    journal,
    storage,
    release,
    names: Object.keys(options.sync.actions ?? {}),
  })
  const host = { ready: replica.ready, isReady: () => status.current.ready, warn }
  db.live = await makeLiveQueries(db, live, host)
  return replica
}

/** An app that throws here harms nothing: it is told from the midst of PGlite's work. */
function tellOpening(tell: ReplicaOptions['onOpening'], progress: number): void {
  try {
    tell?.(progress)
  } catch (error) {
    queueMicrotask(() => {
      throw error
    })
  }
}

function checkedUrl(url: string): string {
  if (!/^https?:\/\//.test(url))
    throw new TidemarkError('bad-input', `The url must begin with https:// or http://, not ${url}.`)
  return url.replace(/\/+$/, '')
}

async function openStorage(options: Pick<ReplicaOptions, 'storage' | 'user'>, open: OpenDatabase) {
  const named = options.storage === undefined ? defaultStorages() : [options.storage]
  const wanted = await Promise.all(named.map((option) => storageFor(option, options.user)))
  // Where a replica lies already, no other storage answers for it, whatever keeps it shut now.
  const known = wanted.length === 1 ? null : await firstInUse(wanted)
  let fault: unknown
  for (const storage of known ? [known] : wanted) {
    const release = await lockStorage(storage)
    let finding: Promise<FoundJournal> | null = null
    try {
      const isThere = await hasJournal(storage)
      finding = openJournal(storage)
      // Where there is none, its files are opened while the database starts.
      if (isThere && (await finding).state?.hasLeft) {
        // A sign-out that was cut is ended first.
        await wipe(storage)
        await (await finding).files?.remove()
        finding = openJournal(storage)
      }
      const one = await openOne(storage, options.user, open, finding)
      return { ...one, release, storage, found: await finding }
    } catch (error) {
      await (await finding)?.files?.close().catch(() => undefined)
      await release()
      fault = error
      if (error instanceof TidemarkError && (error.kind === 'forbidden' || error.kind === 'stalled')) throw error
    }
  }
  throw fault
}

async function openOne(
  storage: Storage,
  user: string,
  open: OpenDatabase,
  finding: Promise<FoundJournal>,
): Promise<{ opened: Opened; clientId: string; learning: Learning | null }> {
  let clientId = ''
  let learning: Learning | null = null
  const opened = await openStored(storage, open, async (db) => {
    const own = await openOwnSchema(db, user, async () => requireJournal(await finding))
    const { state } = await finding
    learning = state && (await db.transaction((tx) => takeIn(tx, state)))
    clientId = learning?.client ?? own.clientId
  })
  return { opened, clientId, learning }
}

interface Parts {
  readonly engine: ReplicaEngine
  readonly writing: Writing
  readonly db: Database
  readonly journal: Journal | null
  readonly storage: Storage
  readonly release: Release
  /** Of the actions. */
  readonly names: readonly string[]
}

function replicaOf<S extends Sync>({ engine, writing, db, journal, storage, release, names }: Parts): Replica<S> {
  const { status, waits, connection } = engine
  const closing = new AbortController()
  const stopWaking = onWake(() => {
    connection.dispatch({ type: 'wake' })
    writing.resume('wake')
  })
  const ready = waits.add(
    { lsn: asLsn('0'.repeat(16)), epoch: null, before: null, endsOffline: false, endsRefused: false },
    status.current,
  )
  // An app that never looks at `ready` must not die of it.
  ready.catch(() => undefined)
  let closed: Promise<void> | null = null

  async function stop(): Promise<void> {
    closing.abort()
    stopWaking()
    await writing.stop()
    await engine.stop()
    await journal?.close()
    await db.close()
  }

  async function close(): Promise<void> {
    await stop()
    await release()
  }

  async function closeAndWipe(): Promise<void> {
    // Whenever this is cut, nothing of what was unsent comes back.
    await journal?.leave()
    await stop()
    try {
      await wipe(storage)
      await journal?.remove()
    } finally {
      // Held until here, so that no other tab opens what is being removed.
      await release()
    }
  }

  function check(): void {
    if (closed) throw closedFault()
    if (status.current.phase === 'offline') throw offlineFault()
    if (status.current.phase === 'refused' && status.current.error) throw status.current.error
  }

  return {
    db,
    get status() {
      return status.current
    },
    subscribe: (listener) => status.subscribe(listener),
    ready,
    // Each name is one of the definition's actions, and `run` checks its arguments by that action's schema.
    actions: Object.fromEntries(
      names.map((name) => [name, (args: unknown) => writing.run(name, args)]),
    ) as ReplicaActions<S>,
    transaction: (work) => writing.transaction(work),
    get failures() {
      return writing.failures
    },
    mutations: ({ limit = 100 } = {}) => writing.mutations(limit),
    mutation: (id) => writing.mutation(id),
    undo: () => writing.undo(),
    redo: () => writing.redo(),
    async settled() {
      check()
      await writing.settled()
      for (;;) {
        check()
        const before = status.current.epoch
        const { epoch, lsn } = await engine.freshHead(closing.signal)
        check()
        try {
          return await waits.add({ lsn, epoch, before, endsOffline: true, endsRefused: true }, engine.reached)
        } catch (error) {
          // Only after the replica has taken up another history than the one asked about: then the head is asked for anew.
          if (!(error instanceof TidemarkError) || error.kind !== 'rehydrate-required') throw error
        }
      }
    },
    async reached(lsn) {
      if (closed) throw closedFault()
      const target = lsn.includes('/') ? parsePgLsn(lsn) : asLsn(lsn)
      await waits.add({ lsn: target, epoch: null, before: null, endsOffline: false, endsRefused: true }, engine.reached)
    },
    goOffline: () => connection.dispatch({ type: 'go-offline' }),
    goOnline({ envelope } = {}) {
      engine.envelope = envelopeOf(envelope, engine.envelope)
      engine.retryRefused()
      connection.dispatch({ type: 'go-online' })
      writing.resume('online')
    },
    close: () => (closed ??= close()),
    async signOut() {
      // Closed already, its storage may be open elsewhere by now.
      if (closed) throw closedFault()
      closed = closeAndWipe()
      await closed
    },
  }
}
