import type { DatabaseEnv } from '../../workers/env.ts'

let database: DatabaseEnv | null = null

/** Points the objects made from now on at a database of the test file's own, because all files share the bindings. */
export function useDatabase(env: DatabaseEnv): void {
  database = env
}

export function withTestDatabase<Env extends object>(env: Env): Env & DatabaseEnv {
  if (database === null) throw new Error('Call useDatabase before a Durable Object is made.')
  return { ...env, ...database }
}
