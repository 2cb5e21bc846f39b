import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { freePort } from '../../testing/postgres/free-port.ts'
import { FAST_SETTINGS, SYSTEM_BINARIES } from '../../testing/postgres/global-setup.ts'
import { type Database, withDatabase } from '../../workers/database/index.ts'
import { embeddedBinaries } from './postgres-binaries.ts'
import { type PostgresOptions, type PostgresServer, startPostgresServer } from './postgres-server.ts'
import { startWebSocketProxy, type WebSocketProxy } from './websocket-proxy.ts'

const PROGRAMS = { embedded: embeddedBinaries(), system: SYSTEM_BINARIES }

describe.each(['embedded', 'system'] as const)('the Postgres launcher with the %s programs', (name) => {
  const folder = mkdtempSync(join(tmpdir(), 'tidemark-launcher-'))
  let options: PostgresOptions
  let server: PostgresServer
  let proxy: WebSocketProxy
  beforeAll(async () => {
    options = {
      binDirectory: PROGRAMS[name],
      dataDirectory: join(folder, 'data'),
      port: await freePort(),
      password: 'päss word',
      settings: { fsync: FAST_SETTINGS.fsync },
    }
    server = await startPostgresServer(options)
    proxy = await startWebSocketProxy({ host: '127.0.0.1', port: options.port })
  })
  afterAll(async () => {
    await proxy.close()
    await server.stop()
    rmSync(folder, { recursive: true, force: true })
  })
  const use = <T>(run: (database: Database) => Promise<T>) =>
    withDatabase({ DATABASE_URL: server.url('postgres'), DATABASE_PROXY: proxy.address }, run)

  it(`OPS-05 starts from nothing, ready for logical decoding (${name})`, async () => {
    await use(async ({ query }) => {
      expect(await query('SHOW wal_level')).toEqual([{ wal_level: 'logical' }])
      expect(await query('SHOW listen_addresses')).toEqual([{ listen_addresses: '127.0.0.1' }])
      const plugin = name === 'system' ? 'wal2json' : 'pgoutput'
      await query('SELECT pg_create_logical_replication_slot($1, $2)', ['probe', plugin])
      await query('SELECT pg_drop_replication_slot($1)', ['probe'])
    })
  })

  it(`FLT-02 comes back after SIGKILL with what was committed, and after a stop (${name})`, async () => {
    await use(({ query }) => query('CREATE TABLE public.kept AS SELECT 7 AS n'))
    await server.kill()
    server = await startPostgresServer(options)
    expect(await use(({ query }) => query('SELECT n FROM public.kept'))).toEqual([{ n: '7' }])
    await server.stop()
    server = await startPostgresServer(options)
    expect(await use(({ query }) => query('SELECT n FROM public.kept'))).toEqual([{ n: '7' }])
  })

  it(`FLT-05 SIGKILL of the server fails the queries that wait on it (${name})`, async () => {
    const outcome = await use(async ({ query }) => {
      const sleeping = query('SELECT pg_sleep(1000)').catch((error: unknown) => error)
      await server.kill()
      return await sleeping
    })
    expect(outcome).toMatchObject({ kind: 'unavailable' })
    server = await startPostgresServer(options)
  })

  it(`OPS-04 names a port in use and leaves the data as it was (${name})`, async () => {
    const other = { ...options, dataDirectory: join(folder, 'other') }
    await expect(startPostgresServer(other)).rejects.toMatchObject({
      kind: 'misconfigured',
      message: expect.stringContaining(`Port ${options.port} is in use`),
    })
  })

  it(`OPS-04 refuses a data directory of another major version (${name})`, async () => {
    const foreign = join(folder, 'foreign')
    const made = { ...options, dataDirectory: foreign, port: await freePort() }
    const running = await startPostgresServer(made)
    await running.stop()
    const version = join(foreign, 'PG_VERSION')
    const own = readFileSync(version, 'utf8')
    writeFileSync(version, '9\n')
    await expect(startPostgresServer(made)).rejects.toMatchObject({
      kind: 'misconfigured',
      message: expect.stringContaining('made by Postgres 9'),
    })
    expect(readFileSync(version, 'utf8')).toBe('9\n')
    writeFileSync(version, own)
  })
})
