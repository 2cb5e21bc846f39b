import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import { connect, type Socket } from 'node:net'

/** A network between one client and the Worker that knows HTTP, to lose answers to pushes and double requests. */
export interface HttpGate {
  readonly port: number
  /** Paths that were asked for, in order; of sockets none. */
  readonly requests: readonly string[]
  /** Lets the next pushes reach the server and loses their answers. */
  loseAnswers(count: number): void
  /** Sends the next pushes to the server twice at once; the client gets one of the answers. */
  doublePushes(count: number): void
  /** Answers pushes with 503, so that they reach no server, until this is called again with `false`. */
  refusePushes(refused: boolean): void
  /** Cuts every connection without a goodbye. */
  cut(): void
  dispose(): Promise<void>
}

/** Forwards to a port of this machine, WebSockets too. */
export async function startHttpGate(targetPort: number): Promise<HttpGate> {
  const sockets = new Set<Socket>()
  let toLose = 0
  let toDouble = 0
  let refused = false
  const requests: string[] = []

  const send = (
    incoming: IncomingMessage,
    body: Buffer,
  ): Promise<{ status: number; headers: NodeJS.Dict<string | string[]>; body: Buffer }> =>
    new Promise((resolve, reject) => {
      const { method, url: path, headers } = incoming
      const outgoing = request(
        { host: '127.0.0.1', port: targetPort, method, path, headers, agent: false },
        (answer) => {
          collect(answer).then(
            (bytes) => resolve({ status: answer.statusCode ?? 502, headers: answer.headers, body: bytes }),
            reject,
          )
        },
      )
      outgoing.on('error', reject)
      outgoing.end(body)
    })

  const forward = async (incoming: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await collect(incoming)
    const push = incoming.url?.startsWith('/sync/push') ?? false
    if (push && refused) {
      response.writeHead(503).end()
      return
    }
    const doubled = push && toDouble > 0
    if (doubled) toDouble -= 1
    const answers = await Promise.allSettled(
      doubled ? [send(incoming, body), send(incoming, body)] : [send(incoming, body)],
    )
    const answer = answers.find((one) => one.status === 'fulfilled')?.value
    if (push && toLose > 0) {
      toLose -= 1
      incoming.socket.destroy()
      return
    }
    if (!answer) {
      incoming.socket.destroy()
      return
    }
    const { 'transfer-encoding': _, ...headers } = answer.headers
    response.writeHead(answer.status, { ...headers, 'content-length': String(answer.body.length) })
    response.end(answer.body)
  }

  const server = createServer((incoming, response) => {
    requests.push(incoming.url ?? '')
    forward(incoming, response).catch(() => incoming.socket.destroy())
  })
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.setNoDelay(true)
    socket.on('close', () => sockets.delete(socket))
    socket.on('error', () => socket.destroy())
  })
  server.on('upgrade', (incoming: IncomingMessage, socket: Socket, first: Buffer) => {
    const outgoing = connect(targetPort, '127.0.0.1', () => {
      const lines = [`${incoming.method} ${incoming.url} HTTP/1.1`]
      for (let at = 0; at < incoming.rawHeaders.length; at += 2) {
        lines.push(`${incoming.rawHeaders[at]}: ${incoming.rawHeaders[at + 1]}`)
      }
      outgoing.write(`${lines.join('\r\n')}\r\n\r\n`)
      outgoing.write(first)
      outgoing.pipe(socket)
      socket.pipe(outgoing)
    })
    outgoing.setNoDelay(true)
    outgoing.on('error', () => socket.destroy())
    outgoing.on('close', () => socket.destroy())
    socket.on('close', () => outgoing.destroy())
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
    requests,
    loseAnswers(count) {
      toLose += count
    },
    doublePushes(count) {
      toDouble += count
    },
    refusePushes(now) {
      refused = now
    },
    cut,
    async dispose() {
      cut()
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}

async function collect(stream: IncomingMessage): Promise<Buffer> {
  const pieces: Buffer[] = []
  for await (const piece of stream) pieces.push(piece as Buffer)
  return Buffer.concat(pieces)
}
