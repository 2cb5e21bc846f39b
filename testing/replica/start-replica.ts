import type { ReplicaStatus } from '../../client/index.ts'
import { openReplicaOn, type Replica, type ReplicaOptions } from '../../client/open-replica.ts'
import { openPreparedDatabase } from './prepared-database.ts'

export function startReplica(url: string, options: Partial<ReplicaOptions> = {}): Promise<Replica> {
  const defaults: ReplicaOptions = {
    url,
    user: 'ann',
    token: () => 'token',
    sync: { tables: {} },
    storage: 'memory://',
  }
  return openReplicaOn({ ...defaults, ...options }, openPreparedDatabase)
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

/** Every row of a table as text, ordered by its text. */
export async function rowsOf(replica: Replica, table: string, columns = '*'): Promise<unknown[]> {
  const { rows } = await replica.db.query(`SELECT ${columns} FROM ${table} ORDER BY 1`)
  return rows
}
