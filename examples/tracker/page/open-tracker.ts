import { openReplica, prepareReplica, type ReplicaOptions } from 'tidemark/client'
import type { OpenFunction } from 'tidemark/react'
import { sync } from '../sync.ts'
import { device, fetchToken } from './session.ts'
import type { TrackerReplica } from './tracker-replica.ts'

declare global {
  interface Window {
    replica?: TrackerReplica
  }
}

const makeWorker = () => new Worker(new URL('./replica.worker.ts', import.meta.url), { type: 'module' })

/** Loads Postgres while people choose who they are. */
export const prepareTracker = () => void prepareReplica({ worker: makeWorker })

export function trackerOptions(userId: string): ReplicaOptions<typeof sync> {
  const storage = device === null ? {} : { storage: storageOf(device) }
  return {
    url: window.location.origin,
    user: userId,
    token: () => fetchToken(userId),
    sync,
    worker: makeWorker,
    ...storage,
  }
}

/** Opens a replica, and leaves it to the console: `await replica.db.query('SELECT count(*) FROM issue')`. */
export const openTracker: OpenFunction = async (options) => {
  const replica = await openReplica(options)
  window.replica = replica as unknown as TrackerReplica
  return replica
}

/** Names a storage of the default kind under another name. */
function storageOf(name: string): string {
  const scheme = typeof navigator.storage?.getDirectory === 'function' ? 'opfs-ahp' : 'idb'
  return `${scheme}://tracker-${name}`
}
