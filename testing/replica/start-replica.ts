import type { ReplicaStatus } from '../../client/index.ts'
import { openReplicaOn } from '../../client/open-replica.ts'
import type { Replica, ReplicaOptions } from '../../client/replica-api.ts'
import type { Sync } from '../../db/define-sync.ts'
import { openPreparedDatabase } from './prepared-database.ts'

export function startReplica<S extends Sync = Sync>(
  url: string,
  options: Partial<ReplicaOptions<S>> = {},
): Promise<Replica<S>> {
  const defaults = {
    url,
    user: 'ann',
    token: () => 'token',
    sync: { tables: {} },
    storage: 'memory://',
  }
  // A replica without a definition of its own gets one that declares nothing.
  return openReplicaOn({ ...defaults, ...options } as ReplicaOptions<S>, openPreparedDatabase)
}

/** Resolves with the first status that satisfies `test`, the present one included. */
export function statusThat(replica: Replica, test: (status: ReplicaStatus) => boolean): Promise<ReplicaStatus> {
  if (test(replica.status)) return Promise.resolve(replica.status)
  return new Promise((resolve) => {
    const stop = replica.subscribe((status) => {
      if (!test(status)) return
      stop()
      resolve(status)
    })
  })
}

/** Reads every row of a table, ordered by the first column. */
export async function rowsOf(replica: Replica, table: string, columns = '*'): Promise<unknown[]> {
  const { rows } = await replica.db.query(`SELECT ${columns} FROM ${table} ORDER BY 1`)
  return rows
}
