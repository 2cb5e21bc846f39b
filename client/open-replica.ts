import type { Sync } from '../db/define-sync.ts'
import { type Link, NETWORK } from './connection/link.ts'
import type { Replica, ReplicaOptions } from './replica-api.ts'
import type { OpenDatabase, OpeningHelp } from './store/open-database.ts'
import { isServerRuntime } from './store/runtime.ts'

/**
 * Opens the replica of one user, offline too; rows come as soon as the server is reached.
 *
 * Throws TidemarkError: `already-open` (another tab or process has it, and there is no `worker`), `storage` (the device
 * refuses), `forbidden` (the storage is another user's), `stalled` (a tab that sleeps holds it), `bad-input`.
 */
export async function openReplica<S extends Sync>(options: ReplicaOptions<S>): Promise<Replica<S>> {
  // A page whose engine runs in a worker loads nothing of the engine.
  if (options.worker && !isServerRuntime()) {
    const { openSharedReplica } = await import('./tabs/open-shared-replica.ts')
    return openSharedReplica(options, options.worker)
  }
  const { openDatabase, openingHelp } = await import('./store/open-database.ts')
  return openReplicaOn(options, openDatabase, openingHelp)
}

/** Works as `openReplica` without a worker, with the given function to open the database and the given way to the server. */
export async function openReplicaOn<S extends Sync>(
  options: ReplicaOptions<S>,
  open: OpenDatabase,
  help: OpeningHelp | null = null,
  link: Link = NETWORK,
  checkDelayMs?: number,
): Promise<Replica<S>> {
  const { openOwnReplica } = await import('./open-own-replica.ts')
  return openOwnReplica(options, open, { help, link, checkDelayMs })
}
