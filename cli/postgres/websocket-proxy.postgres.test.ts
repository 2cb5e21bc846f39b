import { Client, Pool } from '@neondatabase/serverless'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { createDatabase, type TestDatabase } from '../../testing/postgres/create-database.ts'
import { startWebSocketProxy } from './websocket-proxy.ts'

const BIG_CHARS = 5 * 1024 * 1024

/** What the driver needs to speak to the proxy instead of Neon; the docstring of the proxy says why. */
function pointAt(proxy: string, client: Client): Client {
  Object.assign(client.neonConfig, {
    wsProxy: (host: string, port: number | string) => `${proxy}/v1?address=${host}:${port}`,
    useSecureWebSocket: false,
    pipelineConnect: false,
    pipelineTLS: false,
    forceDisablePgSSL: true,
  })
  // A cut connection is also told as an event, which would be an uncaught error without a listener.
  client.on('error', () => {})
  return client
}

class ProxiedClient extends Client {
  constructor(connectionString: string) {
    super({ connectionString })
    pointAt(new URL(connectionString).searchParams.get('proxy') ?? '', this)
  }
}

describe.each(['embedded', 'system'] as const)('the WebSocket proxy in front of the %s Postgres', (name) => {
  const server = inject('servers')[name]
  let database: TestDatabase
  beforeAll(async () => {
    database = await createDatabase(server)
  })
  afterAll(() => database.drop())

  const connected = async (proxy = server.proxy): Promise<Client> => {
    const client = pointAt(proxy, new Client({ connectionString: database.url }))
    await client.connect()
    return client
  }

  it(`OPS-05 carries queries, a 5 MB result and a 5 MB parameter (${name})`, async () => {
    const client = await connected()
    const { rows } = await client.query("SELECT repeat('x', $1::int) AS big, 42 AS small", [BIG_CHARS])
    expect(rows[0].big.length).toBe(BIG_CHARS)
    expect(rows[0].small).toBe(42)
    const sent = await client.query('SELECT length($1::text) AS length', ['ä'.repeat(BIG_CHARS / 2)])
    expect(sent.rows).toEqual([{ length: BIG_CHARS / 2 }])
    await client.end()
  })

  it(`OPS-05 carries transactions of two connections apart (${name})`, async () => {
    const [writer, reader] = [await connected(), await connected()]
    await writer.query('CREATE TABLE note (id int PRIMARY KEY)')
    await writer.query('BEGIN')
    await writer.query('INSERT INTO note VALUES (1)')
    const seen = () => reader.query('SELECT id FROM note').then(({ rows }) => rows)
    expect(await seen()).toEqual([])
    await writer.query('COMMIT')
    expect(await seen()).toEqual([{ id: 1 }])
    await Promise.all([writer.end(), reader.end()])
  })

  it(`FLT-05 ends the driver's query with an error when the connection is cut (${name})`, async () => {
    const [victim, killer] = [await connected(), await connected()]
    const { rows } = await victim.query('SELECT pg_backend_pid() AS pid')
    const sleeping = victim.query('SELECT pg_sleep(1000)').catch((error: unknown) => error)
    await killer.query('SELECT pg_terminate_backend($1)', [rows[0].pid])
    expect(await sleeping).toBeInstanceOf(Error)
    await killer.end()
  })

  it(`FLT-05 refuses a login with a wrong password by an error (${name})`, async () => {
    const url = Object.assign(new URL(database.url), { password: 'wrong' }).href
    const client = pointAt(server.proxy, new Client({ connectionString: url }))
    await expect(client.connect()).rejects.toMatchObject({ code: '28P01' })
  })

  it(`SEC-05 dials no address but its own (${name})`, async () => {
    const { port } = new URL(server.adminUrl)
    const elsewhere = Object.assign(new URL(database.url), { port: String(Number(port) + 1) }).href
    const client = pointAt(server.proxy, new Client({ connectionString: elsewhere }))
    await expect(client.connect()).rejects.toBeDefined()
  })

  it(`FLT-05 closing the proxy ends the connections through it (${name})`, async () => {
    const proxy = await startWebSocketProxy({ host: '127.0.0.1', port: Number(new URL(server.adminUrl).port) })
    const client = await connected(proxy.address)
    const sleeping = client.query('SELECT pg_sleep(1000)').catch((error: unknown) => error)
    await proxy.close()
    expect(await sleeping).toBeInstanceOf(Error)
  })
})
