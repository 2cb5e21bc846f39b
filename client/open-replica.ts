import type { Sync } from '../db/define-sync.ts'
import { TidemarkError } from '../protocol/index.ts'
import { assembleReplica } from './assemble-replica.ts'
import { createHttp } from './connection/http.ts'
import { SessionToken } from './connection/session-token.ts'
import { followCommits } from './journal/follow-commits.ts'
import { Journal } from './journal/journal.ts'
import { openStorage } from './open-storage.ts'
import { Outbox } from './outbox/outbox.ts'
import { askOutcomes } from './outbox/push-client.ts'
import { Writing } from './outbox/writing.ts'
import { envelopeOf } from './replica/load-envelope.ts'
import { ReplicaEngine } from './replica/replica-engine.ts'
import { Progress } from './replica/rules/progress.ts'
import type { Replica, ReplicaOptions } from './replica-api.ts'
import { makeLiveQueries } from './store/live-queries.ts'
import { type OpenDatabase, type OpeningHelp, openDatabase, openingHelp } from './store/open-database.ts'
import { removeAside } from './store/open-stored.ts'
import { isDevelopment } from './store/runtime.ts'

/**
 * Opens the replica of one user, offline too; rows come as soon as the server is reached.
 *
 * Throws TidemarkError: `already-open` (another tab or process has it), `storage` (the device refuses), `forbidden` (the
 * storage is another user's), `bad-input`.
 */
export function openReplica<S extends Sync>(options: ReplicaOptions<S>): Promise<Replica<S>> {
  return openReplicaOn(options, openDatabase, openingHelp)
}

/** Works as `openReplica`, with the given function to open the database. */
export async function openReplicaOn<S extends Sync>(
  options: ReplicaOptions<S>,
  open: OpenDatabase,
  help: OpeningHelp | null = null,
): Promise<Replica<S>> {
  const url = checkedUrl(options.url)
  const envelope = envelopeOf(options.envelope)
  const progress = new Progress()
  const openTelling: OpenDatabase = (place) =>
    open(place, (signs) => {
      progress.noteOpening(signs)
      reportOpening(options.onOpening, progress.reached)
    })
  const { opened, clientId, release, storage, found, recovery } = await openStorage(options, openTelling, help)
  progress.noteOpened()
  const { db } = opened
  const token = new SessionToken(options.token)
  const http = createHttp(url, ({ fresh }) => token.getToken({ fresh }))
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
  const writing = new Writing({ db, outbox, http, clientId, migration, status, shown: () => engine.shown, journal })
  try {
    await writing.start()
    await engine.start(async () => {
      if (recovery) await outbox.finishRecovery(recovery)
      if (!journal) return
      await journal.startRecording()
      followCommits(db, () => journal.recordUrgent())
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
  const replica = assembleReplica<S>({
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
  await help?.onOpened(db)
  return replica
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
