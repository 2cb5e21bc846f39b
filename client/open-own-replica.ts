import type { Sync } from '../db/define-sync.ts'
import { assembleReplica } from './assemble-replica.ts'
import { startLive } from './live/start-live.ts'
import { type LocalOpening, openLocalCore } from './open-local-core.ts'
import type { Replica, ReplicaOptions } from './replica-api.ts'
import { askPersistence } from './store/ask-persistence.ts'
import type { OpenDatabase } from './store/open-database.ts'

/** Opens a replica whose engine runs here, on a database that is opened so. */
export async function openOwnReplica<S extends Sync>(
  options: ReplicaOptions<S>,
  open: OpenDatabase,
  opening: LocalOpening,
): Promise<Replica<S>> {
  const core = await openLocalCore(options, open, opening)
  const live = startLive(
    (send) => core.liveEngine.connect(send),
    () => core.db.parsers,
  )
  core.db.live = live.namespace
  void askPersistence(core.storage.kind).then((persisted) => core.notePersistence(persisted))
  return assembleReplica<S>({
    core,
    state: core,
    db: core.db,
    live,
    names: Object.keys(options.sync.actions ?? {}),
    runTransaction: (work) => core.runTransaction(work, null),
    nameCall: () => null,
    onFault: console.warn,
  })
}
