import { type Database, withDatabase } from '../database/index.ts'
import type { SyncEnv } from '../env.ts'
import type { LogFields } from '../log.ts'
import type { SyncIntervals, SyncLimits, SyncObjectOptions } from './options.ts'
import type { Sessions, SyncSession } from './sessions.ts'
import type { ChangeLog } from './storage/change-log.ts'
import type { SyncStorage } from './storage/sync-storage.ts'

/** The surroundings that the parts of one SyncDO share. */
export interface SyncContext {
  readonly env: SyncEnv
  readonly storage: SyncStorage
  readonly log: ChangeLog
  readonly sessions: Sessions
  readonly limits: SyncLimits
  readonly intervals: SyncIntervals
  readonly access: Pick<SyncObjectOptions, 'authenticate' | 'audiences'>
  readonly nowMs: () => number
  /** Runs with a Postgres connection, waiting while too many are open. */
  readonly withDatabase: <T>(run: (database: Database) => Promise<T>) => Promise<T>
  /** Runs work that nobody awaits; its failure arms a retry. */
  readonly background: (work: () => Promise<void>) => void
}

/** Names a session in the log. */
export const whereIs = ({ storage }: SyncContext, { state }: SyncSession): LogFields => ({
  object: storage.state.name,
  session: state.id,
  client: state.client,
})

/** Opens at most `limit` connections at once; other callers wait their turn. */
export function limitedDatabase(env: SyncEnv, limit: number): SyncContext['withDatabase'] {
  let open = 0
  const waiting: (() => void)[] = []
  return async (run) => {
    if (open >= limit) await new Promise<void>((resolve) => waiting.push(resolve))
    else open += 1
    try {
      return await withDatabase(env, run, { applicationName: 'tidemark sync' })
    } finally {
      const next = waiting.shift()
      if (next) next()
      else open -= 1
    }
  }
}
