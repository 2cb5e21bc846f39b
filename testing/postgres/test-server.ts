/** One running Postgres of the test run, as tests see it: `servers().embedded`, `.system` or `.newer`. */
export interface TestServer {
  readonly name: 'embedded' | 'system' | 'newer'
  /** The superuser's connection string, to the database `postgres`. */
  readonly adminUrl: string
  /** `host:port` of the WebSocket proxy in front of it. */
  readonly proxy: string
}

/** The database with Tidemark's migrations applied, which `createDatabase` copies. */
export const TEMPLATE_DATABASE = 'tidemark_template'

export interface TestServers {
  readonly embedded: TestServer
  readonly system: TestServer
  /** The server with the newest wal2json; null where the environment names none in NEWER_POSTGRES. */
  readonly newer: TestServer | null
}

declare module 'vitest' {
  export interface ProvidedContext {
    /** One set for each worker. */
    serversOfWorkers: readonly TestServers[]
  }
}
