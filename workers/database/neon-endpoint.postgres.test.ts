import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:https'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { neonConfig } from '@neondatabase/serverless'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createWebSocketStream, WebSocket, WebSocketServer } from 'ws'
import { servers } from '../../testing/postgres/servers.ts'
import { useTestDatabase } from '../../testing/postgres/use-test-database.ts'
import { until } from '../../testing/system/until.ts'
import { openDatabase } from './index.ts'

/** A secure WebSocket endpoint at `/v2`, as Neon offers it: everything inside is the plain Postgres protocol. */
async function startSecureEndpoint(folder: string, postgresPort: number): Promise<{ server: Server; port: number }> {
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost']
  const request = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-keyout', key, '-out', cert]
  execFileSync('openssl', [...request, ...subject], { stdio: 'ignore' })
  const server = createServer({ key: readFileSync(key), cert: readFileSync(cert) })
  new WebSocketServer({ server, path: '/v2' }).on('connection', (socket) => {
    const incoming = createWebSocketStream(socket)
    const outgoing = connect(postgresPort, '127.0.0.1')
    incoming.on('error', () => outgoing.destroy()).pipe(outgoing)
    outgoing.on('error', () => incoming.destroy()).pipe(incoming)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('The endpoint has no port.')
  return { server, port: address.port }
}

describe('a connection without a proxy, as to Neon', () => {
  const defaults = { wsProxy: neonConfig.wsProxy, webSocketConstructor: neonConfig.webSocketConstructor }
  const folder = mkdtempSync(join(tmpdir(), 'tidemark-endpoint-'))
  const own = useTestDatabase(servers().embedded)
  let server: Server
  let upgrades: string[] = []
  /** What the endpoint says of connections that it ended before they were WebSockets. */
  const faults: string[] = []

  beforeAll(async () => {
    const endpoint = await startSecureEndpoint(folder, Number(new URL(own.url).port))
    server = endpoint.server
    server.on('upgrade', (request) => upgrades.push(request.url ?? ''))
    for (const event of ['tlsClientError', 'clientError']) {
      server.on(event, (error: Error) => faults.push(`${event}: ${error.message}`))
    }
    const ca = readFileSync(join(folder, 'cert.pem'))
    // Only the port and the trusted certificate differ from the use of a Neon host.
    neonConfig.wsProxy = () => `localhost:${endpoint.port}/v2`
    neonConfig.webSocketConstructor = class extends WebSocket {
      constructor(address: string) {
        super(address, { ca })
      }
    }
  })
  afterAll(async () => {
    Object.assign(neonConfig, defaults)
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
    rmSync(folder, { recursive: true })
  })

  const url = () => `${own.url}?sslmode=require`

  test('OPS-05 speaks over TLS with the login pipelined, in queries, transactions and cursors', async () => {
    // A connection that is cut as it is made is made again, as by all who open one.
    const database = await until(() => {
      upgrades = []
      return openDatabase({ DATABASE_URL: url() }).catch((error: Error) => {
        if (!String(error.cause).includes('hang up')) throw error
        faults.push(String(error.cause))
        return null
      })
    })
    expect(await database.query(`SELECT current_setting('TimeZone') AS zone`)).toEqual([{ zone: 'UTC' }])
    const seen = await database.transaction(async (transaction) => {
      const sizes: number[] = []
      const pages = transaction.pages('SELECT n FROM generate_series(1, 12000) n', [], { maxRows: 5_000 })
      for await (const page of pages) sizes.push(page.length)
      return sizes.reduce((sum, size) => sum + size, 0)
    })
    expect(seen).toBe(12_000)
    await database.close()
    expect(upgrades, faults.join('\n')).toEqual(['/v2'])
  })

  test('FLT-05 a refused login is an error there too', async () => {
    const wrong = Object.assign(new URL(url()), { password: 'wrong' }).href
    await expect(openDatabase({ DATABASE_URL: wrong })).rejects.toMatchObject({ name: 'TidemarkError' })
  })
})
