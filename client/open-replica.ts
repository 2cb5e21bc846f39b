import type { Sync } from '../db/define-sync.ts'
import { asLsn, type Lsn, parsePgLsn, TidemarkError, toTidemarkError } from '../protocol/index.ts'
import { createHttp } from './connection/http.ts'
import { SessionToken, type TokenFunction } from './connection/session-token.ts'
import { onWake } from './connection/wake.ts'
import { openBooks } from './replica/books.ts'
import type { Database } from './replica/database.ts'
import { type Envelope, envelopeOf } from './replica/envelope.ts'
import { type OpenDatabase, type Opened, openDatabase, openOrRebuild, wipe } from './replica/open-database.ts'
import { closedFault, offlineFault, ReplicaEngine } from './replica/replica-engine.ts'
import { defaultStorages } from './replica/runtime.ts'
import type { ReplicaStatus, StatusListener } from './replica/status.ts'
import { lockStorage, type Release } from './replica/storage-lock.ts'
import { type Storage, storageFor } from './replica/storage-name.ts'

export interface ReplicaOptions {
  /** Of the deployment, as far as the routes' base path: `https://app.example` or `https://app.example/base`. */
  readonly url: string
  /** Names the storage: each user has his own, and it opens offline. */
  readonly user: string
  /** Called for the first connection, and again when a token expires or is refused. */
  readonly token: TokenFunction
  /** The module that worker and page share. */
  readonly sync: Sync
  /** `memory://`, `idb://name`, `opfs-ahp://name` or a directory (Node, Bun); default the best there is. */
  readonly storage?: string
  /**
   * The largest load to take on, of rows and of bytes of uncompressed COPY text; beyond it the replica is `refused` with
   * `limit-exceeded` before anything is loaded. Default 1,000,000 rows and 256 MiB in a browser, ten and eight times that
   * in Node and Bun.
   */
  readonly envelope?: Partial<Envelope>
}

/** A local Postgres that follows what its user may see. */
export interface Replica {
  /** PGlite with live queries. Synced tables are read-only; the app's own tables are its own. */
  readonly db: Database
  readonly status: ReplicaStatus
  /** Calls back with every new status; answers the function that ends it. */
  subscribe(listener: StatusListener): () => void
  /** Resolves when the tables first hold a whole state; rejects with `unavailable` when closed before. */
  readonly ready: Promise<void>
  /** Resolves when everything committed before the call is here. Rejects with TidemarkError: offline, closed, refused. */
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

/** How often settled() starts over because the history changed under it. */
const SETTLE_ROUNDS = 5

/**
 * Opens the replica of one user, offline too; rows come as soon as the server is reached.
 *
 * Throws TidemarkError: `already-open` (another tab or process has it), `storage` (the device refuses), `forbidden` (the
 * storage is another user's), `bad-input`.
 */
export function openReplica(options: ReplicaOptions): Promise<Replica> {
  return openReplicaOn(options, openDatabase)
}

/** As `openReplica`, with the database opened by the caller. */
export async function openReplicaOn(options: ReplicaOptions, open: OpenDatabase): Promise<Replica> {
  const url = checkedUrl(options.url)
  const envelope = envelopeOf(options.envelope)
  const { opened, clientId, release, storage } = await openStorage(options, open)
  const token = new SessionToken(options.token)
  const http = createHttp(url, ({ fresh }) => token.get({ fresh }))
  const engine = new ReplicaEngine({
    db: opened.db,
    clientId,
    user: options.user,
    actions: options.sync.actions ?? {},
    development: false,
    url,
    http,
    token,
    rebuilt: opened.rebuilt,
    envelope,
  })
  try {
    await engine.start()
  } catch (error) {
    await engine.stop()
    await opened.db.close()
    await release()
    throw error
  }
  return replicaOf(engine, opened.db, storage, release)
}

function checkedUrl(url: string): string {
  if (!/^https?:\/\//.test(url))
    throw new TidemarkError('bad-input', `The url must begin with https:// or http://, not ${url}.`)
  return url.replace(/\/+$/, '')
}

async function openStorage(options: ReplicaOptions, open: OpenDatabase) {
  const wanted = options.storage === undefined ? defaultStorages() : [options.storage]
  let fault: unknown
  for (const option of wanted) {
    const storage = await storageFor(option, options.user)
    const release = await lockStorage(storage)
    try {
      return { ...(await openOne(storage, options.user, open)), release, storage }
    } catch (error) {
      await release()
      fault = error
      if (error instanceof TidemarkError && error.kind === 'forbidden') throw error
    }
  }
  throw fault
}

async function openOne(
  storage: Storage,
  user: string,
  open: OpenDatabase,
): Promise<{ opened: Opened; clientId: string }> {
  let clientId = ''
  const opened = await openOrRebuild(storage, open, async (db) => {
    ;({ clientId } = await openBooks(db, user))
  })
  return { opened, clientId }
}

function replicaOf(engine: ReplicaEngine, db: Database, storage: Storage, release: Release): Replica {
  const { status, waits, connection } = engine
  const closing = new AbortController()
  const stopWaking = onWake(() => connection.dispatch({ type: 'wake' }))
  const ready = waits.add(
    { lsn: asLsn('0'.repeat(16)), epoch: null, endsOffline: false, endsRefused: false },
    status.current,
  )
  // An app that never looks at `ready` must not die of it.
  ready.catch(() => undefined)
  let closed: Promise<void> | null = null

  async function stop(): Promise<void> {
    closing.abort()
    stopWaking()
    await engine.stop()
    await db.close()
  }

  async function close(): Promise<void> {
    await stop()
    await release()
  }

  async function closeAndWipe(): Promise<void> {
    await stop()
    try {
      await wipe(storage)
    } catch (error) {
      throw toTidemarkError(error, 'storage')
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
    async settled() {
      for (let round = 1; ; round++) {
        check()
        const { epoch, lsn } = await engine.freshHead(closing.signal)
        check()
        try {
          return await waits.add({ lsn, epoch, endsOffline: true, endsRefused: true }, status.current)
        } catch (error) {
          const changed = error instanceof TidemarkError && error.kind === 'rehydrate-required'
          if (!changed || round === SETTLE_ROUNDS) throw error
        }
      }
    },
    async reached(lsn) {
      if (closed) throw closedFault()
      const target = lsn.includes('/') ? parsePgLsn(lsn) : asLsn(lsn)
      await waits.add({ lsn: target, epoch: null, endsOffline: false, endsRefused: true }, status.current)
    },
    goOffline: () => connection.dispatch({ type: 'go-offline' }),
    goOnline({ envelope } = {}) {
      engine.envelope = envelopeOf(envelope, engine.envelope)
      connection.dispatch({ type: 'go-online' })
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
