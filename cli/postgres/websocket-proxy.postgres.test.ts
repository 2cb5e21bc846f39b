import { Client, neonConfig, Pool } from '@neondatabase/serverless'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { servers } from '../../testing/postgres/servers.ts'
import { useTestDatabase } from '../../testing/postgres/use-test-database.ts'
import { startWebSocketProxy, type WebSocketProxy } from './websocket-proxy.ts'

const BIG_CHARS = 5 * 1024 * 1024

/** The settings that the proxy's docstring names. */
function dialThrough(proxy: string): void {
  neonConfig.wsProxy = (host, port) => `${proxy}/v1?address=${host}:${port}`
  neonConfig.useSecureWebSocket = false
  neonConfig.pipelineConnect = false
  neonConfig.pipelineTLS = false
  neonConfig.forceDisablePgSSL = true
}

async function connect(connectionString: string): Promise<Client> {
  const client = new Client({ connectionString })
  // A cut connection is also reported as an event, which would be an uncaught error without a listener.
  client.on('error', () => {})
  await client.connect()
  return client
}

/** Tells whether it failed; the driver gives up with an event where the socket broke, with an error elsewhere. */
const fails = (running: Promise<unknown>): Promise<boolean> =>
  running.then(
    () => false,
    () => true,
  )

describe.each(['embedded', 'system'] as const)('the WebSocket proxy in front of the %s Postgres', (name) => {
  const server = servers()[name]
  const port = Number(new URL(server.adminUrl).port)
  const database = useTestDatabase(server)
  let proxy: WebSocketProxy
  beforeAll(async () => {
    proxy = await startWebSocketProxy({ host: '127.0.0.1', port })
    dialThrough(proxy.address)
  })
  afterAll(async () => {
    await proxy.close()
  })

  it(`OPS-05 carries queries, a 5 MB result and a 5 MB parameter (${name})`, async () => {
    const client = await connect(database.url)
    const { rows } = await client.query("SELECT repeat('x', $1::int) AS big, 42 AS small", [BIG_CHARS])
    expect(rows[0].big.length).toBe(BIG_CHARS)
    expect(rows[0].small).toBe(42)
    const sent = await client.query('SELECT length($1::text) AS length', ['ä'.repeat(BIG_CHARS / 2)])
    expect(sent.rows).toEqual([{ length: BIG_CHARS / 2 }])
    await client.end()
  })

  it(`OPS-05 keeps the transactions of a pool's connections apart (${name})`, async () => {
    const pool = new Pool({ connectionString: database.url, max: 2 })
    const [writer, reader] = [await pool.connect(), await pool.connect()]
    await writer.query('CREATE TABLE note (id int PRIMARY KEY)')
    await writer.query('BEGIN')
    await writer.query('INSERT INTO note VALUES (1)')
    const seen = () => reader.query('SELECT id FROM note').then(({ rows }) => rows)
    expect(await seen()).toEqual([])
    await writer.query('COMMIT')
    expect(await seen()).toEqual([{ id: 1 }])
    writer.release()
    reader.release()
    await pool.end()
  })

  it(`FLT-05 a killed connection fails the query that waits on it (${name})`, async () => {
    const [victim, killer] = [await connect(database.url), await connect(database.url)]
    const { rows } = await victim.query('SELECT pg_backend_pid() AS pid')
    const sleeping = fails(victim.query('SELECT pg_sleep(1000)'))
    await killer.query('SELECT pg_terminate_backend($1)', [rows[0].pid])
    expect(await sleeping).toBe(true)
    await killer.end()
  })

  it(`FLT-05 a refused login is an error (${name})`, async () => {
    const url = Object.assign(new URL(database.url), { password: 'wrong' }).href
    await expect(connect(url)).rejects.toMatchObject({ code: '28P01' })
  })

  it(`SEC-05 no address but its own is dialled (${name})`, async () => {
    const url = Object.assign(new URL(database.url), { port: String(port + 1) }).href
    await expect(connect(url)).rejects.toBeDefined()
  })

  it(`FLT-05 closing the proxy fails the queries that run through it (${name})`, async () => {
    const own = await startWebSocketProxy({ host: '127.0.0.1', port })
    dialThrough(own.address)
    const client = await connect(database.url)
    dialThrough(proxy.address)
    const sleeping = fails(client.query('SELECT pg_sleep(1000)'))
    await own.close()
    expect(await sleeping).toBe(true)
  })
})
