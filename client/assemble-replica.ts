import type { Transaction } from '@electric-sql/pglite'
import type { Sync } from '../db/define-sync.ts'
import type { MutationId } from '../protocol/index.ts'
import type { LiveFront } from './live/start-live.ts'
import type { Failure, FailureRecord, MutationHandle } from './mutations/mutation.ts'
import type { PastPlan } from './outbox/past.ts'
import { envelopeOf } from './replica/load-envelope.ts'
import type { PastHandle, Replica, ReplicaActions } from './replica-api.ts'
import type { ReplicaCore, ReplicaState } from './replica-core.ts'
import type { CallOrigin } from './store/call-origin.ts'
import type { Database } from './store/database.ts'

/** What a replica is made of, in the page that has the engine as in every other tab. */
export interface ReplicaParts {
  readonly core: ReplicaCore
  readonly state: ReplicaState
  readonly db: Database
  readonly live: LiveFront
  /** The actions' names. */
  readonly names: readonly string[]
  runTransaction<Result>(
    work: (tx: Transaction) => Promise<Result>,
  ): Promise<{ readonly id: MutationId | null; readonly result: Result }>
  /** Names a call of this tab; null where there are no tabs. */
  readonly nameCall: () => CallOrigin | null
  /** Called with an error of a call that answers nothing. */
  readonly onFault: (error: unknown) => void
}

/** The replica as the app has it: a thin front of a core. */
export function assembleReplica<S extends Sync>(parts: ReplicaParts): Replica<S> {
  const { core, state, db, live, names, nameCall, onFault } = parts
  const ready = core.waitReady()
  // An app that never looks at `ready` must not fail over its rejection.
  ready.catch(() => undefined)
  const failures = makeFailures(core, nameCall)

  const handleOf = (id: MutationId): MutationHandle => handle(core, id)
  const handleOrNull = (id: MutationId | null) => (id === null ? null : handleOf(id))

  const carryOut = async (plan: PastPlan): Promise<PastHandle> => {
    const id = await core.carryOut(plan, nameCall())
    const rows = plan.steps.map(({ table, key, from, to, columns }) => {
      const op = to === null ? 'delete' : from === null ? 'insert' : 'update'
      return { table, key, op, columns: op === 'update' ? columns : [] } as const
    })
    const done = id === null ? { id, confirmed: Promise.resolve() } : handleOf(id)
    return { ...done, rows, gone: plan.gone }
  }

  return {
    db,
    live: live.live,
    get status() {
      return state.status
    },
    subscribe: (listener) => state.subscribe(listener),
    get migrations() {
      return { ...state.status.migrations, retry: () => void core.retryMigrations().catch(onFault) }
    },
    ready,
    // Each name is one of the definition's actions, and the core checks its arguments by that action's schema.
    actions: Object.fromEntries(
      names.map((name) => [name, async (args: unknown) => handleOf(await core.runAction(name, args, nameCall()))]),
    ) as ReplicaActions<S>,
    async transaction(work) {
      const { id, result } = await parts.runTransaction(work)
      return id === null ? { id, confirmed: Promise.resolve(), result } : { ...handleOf(id), result }
    },
    get failures() {
      return failures(state.failures)
    },
    mutations: async ({ limit = 100 } = {}) => (state.hasLeft ? [] : core.readMutations(limit)),
    mutation: async (id) => (state.hasLeft ? null : core.readMutation(id)),
    undo: async () => handleOrNull(await core.undo(nameCall())),
    redo: async () => handleOrNull(await core.redo(nameCall())),
    history: (table, key, options = {}) => core.readHistory(table, key, options),
    activity: (options = {}) => core.readActivity(options),
    rowAt: async (table, key, at) => (await core.readRowAt(table, key, placeText(at))).row,
    restore: async (table, key, at, options = {}) =>
      carryOut(await core.planRestore(table, key, placeText(at), options)),
    rollback: async (id) => carryOut(await core.planRollback(id)),
    settled: () => core.settled(),
    reached: (lsn) => core.reached(lsn),
    inspect: () => core.inspect(),
    goOffline: () => void core.goOffline().catch(onFault),
    goOnline({ envelope } = {}) {
      // A wrong one throws here, as the app expects of a call that answers nothing.
      envelopeOf(envelope)
      void core.goOnline(envelope).catch(onFault)
    },
    close() {
      live.close()
      return core.close()
    },
    reset: () => core.reset(),
    check: () => core.check(),
    export: ({ limit = 1_000 } = {}) => core.exportUnsent(limit),
    async signOut({ dropUnsent = false } = {}) {
      try {
        await core.signOut(dropUnsent)
      } finally {
        // Also where the device kept some of it: the user is gone.
        if (state.hasLeft) live.leave()
      }
    },
  }
}

const placeText = (at: Date | string): string => (typeof at === 'string' ? at : at.toISOString())

function handle(core: ReplicaCore, id: MutationId): MutationHandle {
  const confirmed = core.waitConfirmed(id)
  // The app need not look at it, and then its failure must be no unhandled rejection.
  confirmed.catch(() => undefined)
  return { id, confirmed }
}

/** Gives failures their methods, and answers the same list for the same records. */
function makeFailures(core: ReplicaCore, nameCall: () => CallOrigin | null) {
  let of: readonly FailureRecord[] = []
  let made: readonly Failure[] = []
  const failureOf = (record: FailureRecord): Failure => {
    const again = async (decision: Parameters<ReplicaCore['decideFailure']>[1]) => {
      const id = await core.decideFailure(record.id, decision, nameCall())
      // Nothing had to be written, so all of it is there already.
      return id === null ? { id: record.id, confirmed: Promise.resolve() } : handle(core, id)
    }
    return {
      ...record,
      retry: () => again({ kind: 'retry' }),
      edit: (change) => again({ kind: 'edit', change }),
      discard: async () => {
        await core.decideFailure(record.id, { kind: 'discard' }, nameCall())
      },
    }
  }
  return (records: readonly FailureRecord[]): readonly Failure[] => {
    if (records !== of) made = records.map(failureOf)
    of = records
    return made
  }
}
