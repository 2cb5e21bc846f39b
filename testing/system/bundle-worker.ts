import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import type { PushTarget } from '../../workers/push/forward-push.ts'

export interface BundleOptions {
  /** Module that exports `sync`. */
  readonly syncModule: URL
  /** Passed to `createSyncWorker` besides authentication; plain JSON. */
  readonly workerOptions: Readonly<Record<string, unknown>>
  readonly jwtSecret: string
  /** Module that exports `audiences`; without it the token lists them. */
  readonly audiencesModule?: URL | undefined
  /** Module whose export `instrument` takes the Worker's parts and answers those that run. */
  readonly instrument?: URL | undefined
  /** Module that exports `actions`, the server's halves of them. */
  readonly actionsModule?: URL | undefined
  /** The server of the app that decides what is written, in place of the Worker. */
  readonly pushTo?: PushTarget | undefined
}

const WORKERS = fileURLToPath(new URL('../../workers/index.ts', import.meta.url))

/** Bundles a Worker for an app: its sync definition, tokens signed with the secret, audiences as the token lists them. */
export async function bundleWorker({
  syncModule,
  workerOptions,
  jwtSecret,
  audiencesModule,
  instrument,
  actionsModule,
  pushTo,
}: BundleOptions): Promise<string> {
  const imported = (name: string, from: URL | undefined) =>
    from === undefined ? `const ${name} = undefined` : `import { ${name} } from ${JSON.stringify(fileURLToPath(from))}`
  const source = `
    import { createSyncWorker, jwt } from ${JSON.stringify(WORKERS)}
    import { sync } from ${JSON.stringify(fileURLToPath(syncModule))}
    ${imported('audiences', audiencesModule)}
    ${imported('actions', actionsModule)}
    ${instrument === undefined ? 'const instrument = (parts) => parts' : imported('instrument', instrument)}
    export const { worker, ReplicationDO, SyncDO, SnapshotDO } = instrument(createSyncWorker(sync, {
      ...jwt({ secret: ${JSON.stringify(jwtSecret)}, audiences: (claims) => claims.audiences ?? [] }),
      ...(audiences && { audiences }),
      ...(actions && { actions }),
      ${pushTo === undefined ? '' : `pushTo: () => (${JSON.stringify(pushTo)}),`}
      ...${JSON.stringify(workerOptions)},
    }))
    export default worker`
  const result = await build({
    stdin: { contents: source, loader: 'ts', resolveDir: fileURLToPath(new URL('.', import.meta.url)) },
    bundle: true,
    write: false,
    format: 'esm',
    target: 'es2024',
    platform: 'browser',
    conditions: ['workerd', 'worker', 'browser'],
    external: ['cloudflare:*', 'node:*'],
    logLevel: 'silent',
  })
  const [output] = result.outputFiles
  if (!output) throw new Error('The Worker did not build.')
  return output.text
}
