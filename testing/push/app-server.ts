import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { PushTarget } from '../../workers/push/forward-push.ts'

export const APP_SECRET = 'known-to-the-Worker-and-to-the-server-of-the-app'

export interface AppServer {
  readonly target: PushTarget
  close(): Promise<void>
}

/** Serves an app of any kind on loopback; its mutations are decided below `/api/mutations`. */
export async function startAppServer(listener: RequestListener): Promise<AppServer> {
  const server = createServer(listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    target: { url: `http://127.0.0.1:${port}/api/mutations`, secret: APP_SECRET },
    close: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
