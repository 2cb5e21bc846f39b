import { startWebSocketProxy } from '../../cli/postgres/websocket-proxy.ts'

/** The database proxy in a process of its own; ends with its parent. */
process.on('message', (port: number) => {
  startWebSocketProxy({ host: '127.0.0.1', port }).then(
    ({ address }) => process.send?.(address),
    (error: unknown) => {
      console.error(error)
      process.exit(1)
    },
  )
})
process.on('disconnect', () => process.exit(0))
