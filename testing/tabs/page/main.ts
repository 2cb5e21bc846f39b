import type { Replica } from '../../../client/index.ts'
import { openReplica, prepareReplica } from '../../../dist/client/index.js'
import { sync } from './sync.ts'

/** Everything that the page leaves on its window. */
export interface TabsPage {
  replica: Replica<typeof sync>
  /** Opens a user's replica, which is shared with other tabs; it talks to the page's server where no other is named. */
  openShared(user: string, url?: string, token?: string): Promise<void>
  /** Prepares the engine for whoever signs in, and resolves when that is done. */
  prepare(): Promise<void>
}

const makeWorker = () =>
  new Worker(new URL('./replica.worker.ts', import.meta.url), { type: 'module', name: location.search })

async function openShared(user: string, url = location.origin, token = 'token'): Promise<void> {
  const options = { url, user, token: async () => token, sync, storage: 'opfs-ahp://tabs', worker: makeWorker }
  Object.assign(window, { replica: await openReplica(options) })
}

Object.assign(window, { openShared, prepare: () => prepareReplica({ worker: makeWorker }) })
