import { connect, createServer, type Server, type Socket } from 'node:net'

/** A stretch of network between clients and a server, which a test can cut and slow down. */
export interface TcpGate {
  readonly port: number
  /** Open connections through the gate. */
  readonly connections: number
  /** Cuts every connection without a goodbye, as a lost network does. */
  cut(): void
  /** Refuses new connections (and cuts the open ones) until `open`. */
  close(): void
  open(): void
  /** Holds every piece of data back this long, in both directions; keeps its order. */
  delay(delayMs: number): void
  /** Lets the next request with this beginning through and loses its answer with the connection; resolves then. */
  loseAnswer(requestStart: string): Promise<void>
  /** Reads nothing more from the server until `flow`, like a client that has stopped reading. */
  stall(): void
  flow(): void
  dispose(): Promise<void>
}

/** Listens on an ephemeral loopback port and forwards to another one. */
export async function startTcpGate(targetPort: number): Promise<TcpGate> {
  const sockets = new Set<Socket>()
  let closed = false
  let holdMs = 0
  let losing: { readonly requestStart: string; readonly lost: () => void } | null = null
  /** Connections to the server whose next answer is lost. */
  const doomed = new Map<Socket, () => void>()
  let stalled = false
  const servers = new Set<Socket>()

  const forward = (from: Socket, to: Socket) => {
    from.on('data', (bytes) => {
      const lost = doomed.get(from)
      if (lost) {
        from.resetAndDestroy()
        to.resetAndDestroy()
        doomed.delete(from)
        lost()
        return
      }
      if (losing && bytes.toString('latin1').startsWith(losing.requestStart)) {
        doomed.set(to, losing.lost)
        losing = null
      }
      if (holdMs === 0) to.write(bytes)
      else setTimeout(() => to.writable && to.write(bytes), holdMs)
    })
    from.on('close', () => {
      sockets.delete(from)
      // Data that was held back has to leave before the end of the stream does.
      setTimeout(() => to.end(), holdMs)
    })
    from.on('error', () => to.destroy())
  }

  const server: Server = createServer((incoming) => {
    if (closed) {
      incoming.destroy()
      return
    }
    const outgoing = connect(targetPort, '127.0.0.1')
    for (const socket of [incoming, outgoing]) {
      socket.setNoDelay(true)
      sockets.add(socket)
    }
    servers.add(outgoing)
    outgoing.on('close', () => servers.delete(outgoing))
    forward(incoming, outgoing)
    forward(outgoing, incoming)
    if (stalled) outgoing.pause()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('The gate has no port.')

  const cut = () => {
    for (const socket of sockets) socket.resetAndDestroy()
    sockets.clear()
  }
  return {
    port: address.port,
    get connections() {
      return sockets.size / 2
    },
    cut,
    close() {
      closed = true
      cut()
    },
    open() {
      closed = false
    },
    delay(delayMs) {
      holdMs = delayMs
    },
    loseAnswer: (requestStart) =>
      new Promise((lost) => {
        losing = { requestStart, lost }
      }),
    stall() {
      stalled = true
      for (const socket of servers) socket.pause()
    },
    flow() {
      stalled = false
      for (const socket of servers) socket.resume()
    },
    async dispose() {
      cut()
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}
