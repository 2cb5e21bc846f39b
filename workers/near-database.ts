import type { LocationHint, ObjectNamespace, SyncEnv } from './env.ts'

/**
 * Returns an environment whose ReplicationDO is made near the database; a hint only counts when an object is first
 * made.
 */
export function nearDatabase(env: SyncEnv, location: LocationHint | undefined): SyncEnv {
  if (location === undefined) return env
  const near = <Rpc>(namespace: ObjectNamespace<Rpc>): ObjectNamespace<Rpc> => ({
    getByName: (name) => namespace.getByName(name, { locationHint: location }),
  })
  return { ...env, REPLICATION: near(env.REPLICATION) }
}
