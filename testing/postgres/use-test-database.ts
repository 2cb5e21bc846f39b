import type { Database } from '../../workers/database/index.ts'
import { createDatabase, type TestDatabase } from './create-database.ts'
import type { TestServer } from './test-server.ts'
import { useForSuite } from './use-for-suite.ts'

/**
 * Gives the suite a database of its own, with Tidemark's migrations applied; works in Node and in the Workers runtime.
 * What `prepare` does comes before every connection of the suite.
 */
export function useTestDatabase(
  server: TestServer,
  prepare: (database: TestDatabase) => Promise<unknown> = async () => {},
): TestDatabase {
  return useForSuite(
    async () => {
      const database = await createDatabase(server)
      try {
        await prepare(database)
        return database
      } catch (error) {
        await database.drop()
        throw error
      }
    },
    (database) => database.drop(),
  )
}

/** Opens a connection for the suite, as the owner. */
export function useConnection(database: TestDatabase): Database {
  return useForSuite(
    () => database.open(),
    (connection) => connection.close(),
  )
}
