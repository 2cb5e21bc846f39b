import type { ReplicaOptions } from './replica-api.ts'
import { isServerRuntime } from './store/runtime.ts'

/**
 * Loads and compiles, ahead of `openReplica`, what an opening needs whoever the user is: to be called where somebody is about
 * to sign in, with the `worker` of the options to come. Stores nothing.
 *
 * Resolves when that is done, and never rejects: the opening tells what does not load. In Node and Bun it does nothing. Rule
 * APP-R31.
 */
export async function prepareReplica({ worker }: Pick<ReplicaOptions, 'worker'> = {}): Promise<void> {
  if (isServerRuntime()) return
  try {
    if (worker) await (await import('./tabs/open-shared-replica.ts')).prepareWorker(worker)
    else await (await import('./store/open-database.ts')).prepareDatabase()
  } catch {
    // It is loaded again by the opening, which says why it cannot be.
  }
}
