import { inject } from 'vitest'
import type { TestServers } from './test-server.ts'

/** Answers the servers of this file's worker; on one log, transactions and load of other files would delay the file. */
export function servers(): TestServers {
  const own = inject('serversOfWorkers')[Number(process.env.VITEST_POOL_ID) - 1]
  if (!own) throw new Error(`Worker ${process.env.VITEST_POOL_ID} has no servers.`)
  return own
}
