import type { Sync } from '../db/define-sync.ts'
import { assembleReplica } from './assemble-replica.ts'
import type { Link } from './connection/link.ts'
import { startLive } from './live/start-live.ts'
import { openLocalCore } from './open-local-core.ts'
import type { Replica, ReplicaOptions } from './replica-api.ts'
import { askPersistence } from './store/ask-persistence.ts'
import type { OpenDatabase, OpeningHelp } from './store/open-database.ts'

/** Opens a replica whose engine runs here, on a database that is opened so, with this way to the server. */
export async function openOwnReplica<S extends Sync>(
  options: ReplicaOptions<S>,
  open: OpenDatabase,
  help: OpeningHelp | null,
  link: Link,
): Promise<Replica<S>> {
  const core = await openLocalCore(options, open, { help, link })
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
