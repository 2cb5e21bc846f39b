import { type Database, ENDING_SESSION, endSession, openDatabase, withDatabase } from '../database/index.ts'
import type { DatabaseEnv } from '../env.ts'

/** The way in which pushes come to sessions of the database, and end them. */
export interface PushSessions {
  /** Throws `unavailable` or `misconfigured`. */
  open(): Promise<Database>
  /** Ends a session whatever runs in it, on the server too. Never throws. */
  end(open: Database): Promise<void>
}

export const PUSH_SESSION = {
  applicationName: 'tidemark push',
  prepare: true,
  lockTimeoutMs: 5_000,
  statementTimeoutMs: 20_000,
}

/** Sessions as a Worker opens them. */
export const workerSessions = (env: DatabaseEnv): PushSessions => ({
  open: () => openDatabase(env, PUSH_SESSION),
  end: (open) => endSession((work) => withDatabase(env, work, ENDING_SESSION), open, PUSH_SESSION.applicationName),
})
