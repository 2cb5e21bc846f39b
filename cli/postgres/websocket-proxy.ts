import { connect, type Socket } from 'node:net'
import { type WebSocket, WebSocketServer } from 'ws'
import { TidemarkError } from '../../protocol/errors.ts'

/** The most bytes that wait for a client that reads slowly. */
const MOST_BUFFERED_BYTES = 4 * 1024 * 1024

export interface WebSocketProxy {
  /** `host:port`, the form that `DATABASE_PROXY` takes. */
  readonly address: string
  close(): Promise<void>
}

/**
 * Lets the Neon driver reach a Postgres that has no WebSocket endpoint of its own, as Neon's does.
 *
 * It listens on loopback, and forwards `ws://…/v1?address=host:port` to that one database only. The driver needs
 * `wsProxy: (host, port) => `${address}/v1?address=${host}:${port}``, `useSecureWebSocket: false`, and
 * `pipelineConnect: false`: it sends the password ahead otherwise, which a server that asks for SCRAM refuses.
 * `pipelineTLS: false` and `forceDisablePgSSL: true` are its defaults, without which it would begin TLS inside.
 */
export async function startWebSocketProxy(target: { host: string; port: number }, port = 0): Promise<WebSocketProxy> {
  const allowed = `${target.host}:${target.port}`
  const server = new WebSocketServer({
    host: '127.0.0.1',
    port,
    perMessageDeflate: false,
    verifyClient: ({ req }: { req: { url?: string | undefined } }) =>
      new URL(req.url ?? '/', 'ws://proxy').searchParams.get('address') === allowed,
  })
  await new Promise<void>((resolve, reject) => {
    server.once('listening', resolve)
    server.once('error', reject)
  })
  server.on('connection', (socket) => {
    const outgoing = connect({ host: target.host, port: target.port, noDelay: true })
    join(socket, outgoing)
  })
  const address = server.address()
  if (address === null || typeof address === 'string')
    throw new TidemarkError('internal', 'The database proxy has no port.')
  return {
    address: `127.0.0.1:${address.port}`,
    async close() {
      for (const client of server.clients) client.terminate()
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}

/**
 * Passes bytes between the two sides, no further ahead than each takes them. Done by hand, because a stream in between
 * would cost each message more than everything else.
 */
function join(socket: WebSocket, outgoing: Socket): void {
  socket.on('message', (data: Buffer) => {
    if (outgoing.write(data)) return
    socket.pause()
    outgoing.once('drain', () => socket.resume())
  })
  outgoing.on('data', (data) => {
    if (socket.readyState !== socket.OPEN) return
    socket.send(data, () => outgoing.resume())
    if (socket.bufferedAmount > MOST_BUFFERED_BYTES) outgoing.pause()
  })
  socket.on('error', () => outgoing.destroy())
  socket.on('close', () => outgoing.destroy())
  outgoing.on('error', () => socket.close(1011, 'database unreachable'))
  outgoing.on('end', () => socket.close())
  outgoing.on('close', () => socket.close())
}
