import type { DatabaseEnv, SyncEnv } from '../../workers/env.ts'

/** A database, and from which level on is logged. */
type TestEnv = DatabaseEnv & Pick<SyncEnv, 'LOG_LEVEL'>

let database: TestEnv | null = null

/** Points the objects made from now on at a database of the test file's own, because all files share the bindings. */
export function useDatabase(env: TestEnv): void {
  database = env
}

export function withTestDatabase<Env extends object>(env: Env): Env & TestEnv {
  if (database === null) throw new Error('Call useDatabase before a Durable Object is made.')
  return { ...env, ...database }
}
