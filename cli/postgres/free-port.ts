import { createServer } from 'node:net'
import { TidemarkError } from '../../protocol/errors.ts'

/**
 * Returns the port to use: the one asked for, or for 0 any free one. Throws `bad-input` for one that is taken or no
 * port.
 */
export async function claimPort(asked: string, option: string): Promise<number> {
  const port = Number(asked)
  if (!/^\d+$/.test(asked) || port > 65_535) {
    throw new TidemarkError('bad-input', `${option} must be a port from 0 (any free one) to 65535, not ${asked}.`)
  }
  const free = await listenOnce(port)
  if (free === null) {
    throw new TidemarkError(
      'bad-input',
      `Port ${port} is in use or not allowed. End what uses it, or choose another: ${option} <port> (0 takes any free one).`,
    )
  }
  return free
}

function listenOnce(port: number): Promise<number | null> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(null))
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : null))
    })
  })
}
