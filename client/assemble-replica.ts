import type { Sync } from '../db/define-sync.ts'
import { asLsn, parsePgLsn, TidemarkError } from '../protocol/index.ts'
import { onWake } from './connection/on-wake.ts'
import type { Journal } from './journal/journal.ts'
import type { Writing } from './outbox/writing.ts'
import { envelopeOf } from './replica/load-envelope.ts'
import { closedFault, offlineFault, type ReplicaEngine } from './replica/replica-engine.ts'
import type { Replica, ReplicaActions } from './replica-api.ts'
import type { Database } from './store/database.ts'
import type { Release } from './store/lock-file.ts'
import { wipe } from './store/open-stored.ts'
import type { Storage } from './store/storage-name.ts'

interface Parts {
  readonly engine: ReplicaEngine
  readonly writing: Writing
  readonly db: Database
  readonly journal: Journal | null
  readonly storage: Storage
  readonly release: Release
  /** The actions' names. */
  readonly names: readonly string[]
}

/** The replica as the app has it. */
export function assembleReplica<S extends Sync>({
  engine,
  writing,
  db,
  journal,
  storage,
  release,
  names,
}: Parts): Replica<S> {
  const { status, waits, connection } = engine
  const closing = new AbortController()
  const stopWaking = onWake(() => {
    connection.dispatch({ type: 'wake' })
    writing.resume('wake')
  })
  const ready = waits.waitFor(
    { lsn: asLsn('0'.repeat(16)), epoch: null, before: null, endsOffline: false, endsRefused: false },
    status.current,
  )
  // An app that never looks at `ready` must not fail over its rejection.
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
    // This comes first, so that no unsent work comes back wherever the rest is cut short.
    await journal?.recordLeaving()
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
    // Each name is one of the definition's actions, and `runAction` checks its arguments by that action's schema.
    actions: Object.fromEntries(
      names.map((name) => [name, (args: unknown) => writing.runAction(name, args)]),
    ) as ReplicaActions<S>,
    transaction: (work) => writing.runTransaction(work),
    get failures() {
      return writing.failures
    },
    mutations: ({ limit = 100 } = {}) => writing.readMutations(limit),
    mutation: (id) => writing.readMutation(id),
    undo: () => writing.undo(),
    redo: () => writing.redo(),
    async settled() {
      check()
      await writing.settled()
      for (;;) {
        check()
        const before = status.current.epoch
        const { epoch, lsn } = await engine.askFreshHead(closing.signal)
        check()
        try {
          return await waits.waitFor({ lsn, epoch, before, endsOffline: true, endsRefused: true }, engine.reached)
        } catch (error) {
          // Only a replica that took up another history than the head's goes on here, and asks for the head anew.
          if (!(error instanceof TidemarkError) || error.kind !== 'rehydrate-required') throw error
        }
      }
    },
    async reached(lsn) {
      if (closed) throw closedFault()
      const target = lsn.includes('/') ? parsePgLsn(lsn) : asLsn(lsn)
      await waits.waitFor(
        { lsn: target, epoch: null, before: null, endsOffline: false, endsRefused: true },
        engine.reached,
      )
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
      // The storage of a closed replica may be open elsewhere by now.
      if (closed) throw closedFault()
      closed = closeAndWipe()
      await closed
    },
  }
}
