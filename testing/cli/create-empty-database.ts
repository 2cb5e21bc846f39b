import { customAlphabet } from 'nanoid'
import type { Query } from '../../db/query.ts'
import { type Database, openDatabase, withDatabase } from '../../workers/database/index.ts'
import type { TestServer } from '../postgres/test-server.ts'
import { useForSuite } from '../postgres/use-for-suite.ts'

export interface EmptyDatabase {
  readonly url: string
  readonly query: Query
  drop(): Promise<void>
}

const randomName = customAlphabet('abcdefghijklmnopqrstuvwxyz', 12)

/** Gives the suite a database in which nothing of Tidemark is yet. */
export function useEmptyDatabase(server: TestServer): EmptyDatabase {
  return useForSuite(
    () => createEmptyDatabase(server),
    (database) => database.drop(),
  )
}

/** Opens a connection for the suite to such a database of its own, as the owner. */
export function useEmptyConnection(server: TestServer): Database {
  const empty = useEmptyDatabase(server)
  return useForSuite(
    () => openDatabase({ DATABASE_URL: empty.url, DATABASE_PROXY: server.proxy }),
    (connection) => connection.close(),
  )
}

/** Creates a database in which nothing of Tidemark is yet. */
export async function createEmptyDatabase(server: TestServer): Promise<EmptyDatabase> {
  const name = `empty_${randomName()}`
  const admin = { DATABASE_URL: server.adminUrl, DATABASE_PROXY: server.proxy }
  await withDatabase(admin, ({ query }) => query(`CREATE DATABASE ${name}`))
  const url = Object.assign(new URL(server.adminUrl), { pathname: `/${name}` }).href
  return {
    url,
    query: (text, params) =>
      withDatabase({ DATABASE_URL: url, DATABASE_PROXY: server.proxy }, ({ query }) => query(text, params)),
    drop: async () => {
      await withDatabase(admin, ({ query }) => query(`DROP DATABASE ${name} WITH (FORCE)`))
    },
  }
}
