import { inject } from 'vitest'
import type { TestServers } from './test-server.ts'

/** The servers of the worker that runs this file: an open transaction or a load of another file would delay it on one log. */
export function servers(): TestServers {
  const own = inject('serversOfWorkers')[Number(process.env.VITEST_POOL_ID) - 1]
  if (!own) throw new Error(`Worker ${process.env.VITEST_POOL_ID} has no servers.`)
  return own
}
