import { TidemarkError } from '../protocol/index.ts'
import { createHttp } from './connection/http.ts'
import { type Link, NETWORK } from './connection/link.ts'
import { SessionToken } from './connection/session-token.ts'
import { followCommits } from './journal/follow-commits.ts'
import { Journal } from './journal/journal.ts'
import { LiveEngine } from './live/live-engine.ts'
import { LocalCore } from './local-core.ts'
import { openStorage } from './open-storage.ts'
import { Outbox } from './outbox/outbox.ts'
import { askOutcomes } from './outbox/push-client.ts'
import { Writing } from './outbox/writing.ts'
import { envelopeOf } from './replica/load-envelope.ts'
import { ReplicaEngine } from './replica/replica-engine.ts'
import { Progress } from './replica/rules/progress.ts'
import type { ReplicaOptions } from './replica-api.ts'
import { watchLoss } from './store/database-loss.ts'
import type { OpenDatabase, OpeningHelp } from './store/open-database.ts'
import { removeAside } from './store/open-stored.ts'
import { isDevelopment } from './store/runtime.ts'

export interface LocalOpening {
  readonly help?: OpeningHelp | null
  readonly link?: Link
  /** The storage may be held for so long by who has just let it go. */
  readonly lockWaitMs?: number
  /** Called where the database is gone while it is open, instead of ending the replica with that fault. */
  readonly onLost?: (fault: TidemarkError) => void
}

/**
 * Opens the database and starts the engine of one user's replica in this thread.
 *
 * Throws TidemarkError: `already-open` (another tab or process has it), `storage` (the device refuses), `forbidden` (the
 * storage is another user's), `bad-input`.
 */
export async function openLocalCore(
  options: ReplicaOptions,
  open: OpenDatabase,
  { help = null, link = NETWORK, lockWaitMs = 0, onLost }: LocalOpening,
): Promise<LocalCore> {
  const url = checkedUrl(options.url)
  const envelope = envelopeOf(options.envelope)
  const progress = new Progress()
  const openTelling: OpenDatabase = (place) =>
    open(place, (signs) => {
      progress.noteOpening(signs)
      reportOpening(options.onOpening, progress.reached)
    })
  const { opened, clientId, release, storage, found, recovery } = await openStorage(
    options,
    openTelling,
    help,
    lockWaitMs,
  )
  progress.noteOpened()
  const { db } = opened
  const token = new SessionToken(options.token)
  const http = createHttp(url, ({ fresh }) => token.getToken({ fresh }), link.fetch)
  const { user, development = isDevelopment(), onWarning = console.warn } = options
  const warn = (message: string, cause?: unknown) => onWarning(new TidemarkError('schema-drift', message, { cause }))
  const liveEngine = new LiveEngine({
    db: {
      query: db.query.bind(db),
      transaction: db.transaction.bind(db),
      listen: db.listen.bind(db),
      get parsers() {
        return db.parsers
      },
    },
    ready: () => core.waitReady(),
    isReady: () => status.current.ready,
    warn,
  })
  followCommits(db, async () => liveEngine.noteCall())
  const outbox = new Outbox({
    db,
    clientId,
    user,
    syncActions: options.sync.actions ?? {},
    development,
    shown: () => engine.live,
    warn,
    askOutcomes: (counters, signal) => askOutcomes(http, clientId, counters, signal),
  })
  const { migration } = options.sync
  const engine = new ReplicaEngine({
    db,
    clientId,
    migration,
    outbox,
    url,
    http,
    token,
    openSocket: link.openSocket,
    rebuilt: opened.rebuilt,
    envelope,
    warn,
    progress,
    // A database that cannot be removed now goes at an opening after its time is over.
    onRevoked: () => void removeAside(storage).catch(() => undefined),
    onConnectionChanged: (...step) => writing.onConnectionChanged(...step),
  })
  const { status } = engine
  const { files, slot, state, fault, loss } = found
  const reportUnprotected = (unprotected: string | null) => status.set({ unprotected })
  const journal =
    files &&
    new Journal({
      files,
      db: { query: db.query.bind(db), transaction: db.transaction.bind(db), listen: db.listen.bind(db) },
      user,
      client: clientId,
      slot,
      generation: state?.generation ?? 0,
      onFault: reportUnprotected,
      nowMs: Date.now,
    })
  if (fault !== null) reportUnprotected(fault instanceof Error ? fault.message : String(fault))
  if (loss !== null) onWarning(new TidemarkError('storage', loss))
  const writing = new Writing({
    db,
    outbox,
    http,
    user,
    clientId,
    migration,
    status,
    shown: () => engine.shown,
    journal,
  })
  try {
    await writing.start()
    await engine.start(async () => {
      if (recovery) await outbox.finishRecovery(recovery)
      if (!journal) return
      await journal.startRecording()
      followCommits(db, () => journal.recordUrgent())
    })
  } catch (error) {
    await liveEngine.stop()
    await writing.stop()
    await engine.stop()
    await journal?.close().catch(() => undefined)
    await db.close()
    await release()
    throw error
  }
  const core = new LocalCore({ engine, writing, liveEngine, db, journal, storage, release })
  await help?.onOpened(db)
  watchLoss(db, onLost ?? ((fault) => void core.endBy(fault)))
  return core
}

/** Calls the app in the midst of PGlite's work, which its error must not break: that is thrown in a task of its own. */
function reportOpening(report: ReplicaOptions['onOpening'], progress: number): void {
  try {
    report?.(progress)
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
