import { dirname, join } from 'node:path'
import { describeFault, GatedDevEnv, type ServerMessage } from './gated-dev-env.ts'

/**
 * Messages of `tidemark dev` to the server's process: serve the Worker of this build; or, after a slip, something was
 * saved.
 */
export type DevMessage = { readonly kind: 'serve'; readonly build: number } | { readonly kind: 'saved' }

export interface WranglerSettings {
  readonly config: string
  readonly port: number
  readonly objects: string
  readonly registry: string
  readonly envFile: string
}

const tell = (message: ServerMessage) => {
  if (process.connected) process.send?.(message)
}
const settings = JSON.parse(process.argv[2] ?? '{}') as WranglerSettings
const server = new GatedDevEnv(tell)
const end = (code: number) => {
  void server.teardown().finally(() => process.exit(code))
}
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => end(0))
process.on('message', (message: DevMessage) => {
  if (message.kind === 'serve') server.serve(message.build)
  else server.onSave()
})
server.on('error', (event: { cause?: unknown }) => {
  console.error(event.cause ?? event)
  end(1)
})
try {
  await server.startWorker({
    config: settings.config,
    // The app's own secrets; what dev makes itself stands above them. A file that is not there is passed over.
    envFiles: [join(dirname(settings.config), '.dev.vars'), settings.envFile],
    dev: {
      server: { hostname: '127.0.0.1', port: settings.port },
      // Another process may use the default port.
      inspector: { port: 0 },
      persist: settings.objects,
      registry: settings.registry,
    },
  })
} catch (error) {
  tell({ kind: 'failed', reason: describeFault(error instanceof Error ? error : { message: String(error) }) })
  end(1)
}
