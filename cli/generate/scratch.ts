import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Query } from '../../db/query.ts'
import { quoteIdentifier } from '../../protocol/sql-identifier.ts'
import { withDatabase } from '../../workers/database/index.ts'
import { accessDatabase, openForMigration } from '../database.ts'
import { claimPort } from '../postgres/free-port.ts'
import { embeddedBinaries } from '../postgres/postgres-binaries.ts'
import { startPostgresServer } from '../postgres/postgres-server.ts'

/** An empty database that is gone after its use. */
export interface ScratchDatabase {
  readonly url: string
  /** Runs under a search path of pg_catalog alone. */
  readonly query: Query
}

/** Lends two empty databases of one server: a given one, or the embedded Postgres, started for this and ended. */
export async function withScratch<Result>(
  databaseUrl: string | undefined,
  use: (first: ScratchDatabase, second: ScratchDatabase) => Promise<Result>,
): Promise<Result> {
  if (databaseUrl !== undefined) return await withTwo(databaseUrl, use)
  const folder = mkdtempSync(join(tmpdir(), 'tidemark-scratch-'))
  try {
    const server = await startPostgresServer({
      binDirectory: embeddedBinaries(),
      dataDirectory: join(folder, 'postgres'),
      port: await claimPort('0', '--port'),
      password: randomBytes(24).toString('base64url'),
      settings: { fsync: 'off', full_page_writes: 'off' },
    })
    try {
      return await withTwo(server.url('postgres'), use)
    } finally {
      await server.stop()
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

async function withTwo<Result>(
  serverUrl: string,
  use: (first: ScratchDatabase, second: ScratchDatabase) => Promise<Result>,
): Promise<Result> {
  return await withOne(serverUrl, (first) => withOne(serverUrl, (second) => use(first, second)))
}

async function withOne<Result>(
  serverUrl: string,
  use: (database: ScratchDatabase) => Promise<Result>,
): Promise<Result> {
  const name = `tidemark_scratch_${randomBytes(8).toString('hex')}`
  const url = Object.assign(new URL(serverUrl), { pathname: `/${name}` }).href
  const access = await accessDatabase(serverUrl)
  try {
    const asAdmin = (statement: string) => withDatabase(access.env, ({ query }) => query(statement))
    await asAdmin(`CREATE DATABASE ${quoteIdentifier(name)}`)
    try {
      const database = await openForMigration({ ...access, env: { ...access.env, DATABASE_URL: url } })
      try {
        return await use({ url, query: database.query })
      } finally {
        await database.close()
      }
    } finally {
      await asAdmin(`DROP DATABASE ${quoteIdentifier(name)} WITH (FORCE)`)
    }
  } finally {
    await access.close()
  }
}
