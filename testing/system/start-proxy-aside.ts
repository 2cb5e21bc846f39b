import { fork } from 'node:child_process'
import { once } from 'node:events'
import type { WebSocketProxy } from '../../cli/postgres/websocket-proxy.ts'

/** Starts the proxy aside, so that other work of this process delays nothing between Worker and database. */
export async function startProxyAside(port: number): Promise<WebSocketProxy> {
  const child = fork(new URL('./proxy-process.ts', import.meta.url), { stdio: 'inherit' })
  const exited = once(child, 'exit')
  child.send(port)
  const answer = await Promise.race([once(child, 'message'), exited.then(() => null)])
  if (answer === null) throw new Error('The database proxy did not start.')
  return {
    address: String(answer[0]),
    async close() {
      child.kill()
      await exited
    },
  }
}
