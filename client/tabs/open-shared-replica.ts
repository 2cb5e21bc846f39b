import { nanoid } from 'nanoid'
import type { Sync } from '../../db/define-sync.ts'
import type { Replica, ReplicaOptions } from '../replica-api.ts'
import type { WorkerFactory } from './own-worker.ts'
import { replicaName, SharedTab } from './shared-tab.ts'
import { lockTab } from './tab-lock.ts'

export { prepareWorker } from './prepared-worker.ts'

interface OpenedHere {
  readonly replica: Promise<Replica<Sync>>
  users: number
}

/** The replicas of this page. */
const openedHere = new Map<string, OpenedHere>()

/**
 * Opens the replica that all tabs of this browser share; a second call in this page answers the same, which closes with its
 * last user. Throws as `openReplica`, and `stalled` where a tab sleeps on it.
 */
export async function openSharedReplica<S extends Sync>(
  options: ReplicaOptions<S>,
  makeWorker: WorkerFactory,
): Promise<Replica<S>> {
  const name = replicaName(options)
  const opened = openedHere.get(name) ?? openHere(name, options as ReplicaOptions, makeWorker)
  opened.users += 1
  const replica = await opened.replica
  let closed: Promise<void> | null = null
  const close = async () => {
    opened.users -= 1
    if (opened.users === 0) await replica.close()
  }
  return Object.create(replica, {
    close: {
      value: () => {
        closed ??= close()
        return closed
      },
    },
  })
}

function openHere(name: string, options: ReplicaOptions, makeWorker: WorkerFactory): OpenedHere {
  const forget = () => void (openedHere.get(name) === opened && openedHere.delete(name))
  const open = async () => {
    try {
      return await new SharedTab(options, makeWorker, await lockTab(nanoid()), forget).open()
    } catch (error) {
      forget()
      throw error
    }
  }
  const opened: OpenedHere = { replica: open(), users: 0 }
  openedHere.set(name, opened)
  return opened
}
