import { afterEach } from 'vitest'
import type { Replica, ReplicaOptions } from '../../client/replica-api.ts'
import type { Sync } from '../../db/define-sync.ts'
import type { Definition } from '../../protocol/index.ts'
import { ScriptedServer, type SnapshotScript } from './scripted-server.ts'
import { startReplica } from './start-replica.ts'

const open: { close(): Promise<void> }[] = []

/** Closes everything that `serve` and `start` opened, after each test of the file that calls this. */
export function closeAfterEach(): void {
  afterEach(async () => {
    for (const one of open.splice(0).reverse()) await one.close()
  })
}

export interface Served {
  readonly server: ScriptedServer
  readonly url: string
}

export async function serve(
  definition: Definition,
  snapshots: Readonly<Record<string, SnapshotScript>>,
): Promise<Served> {
  const server = new ScriptedServer(definition, Object.keys(snapshots))
  for (const [audience, snapshot] of Object.entries(snapshots)) server.snapshots.set(audience, snapshot)
  open.push(server)
  return { server, url: await server.listen() }
}

export async function start<S extends Sync = Sync>(
  url: string,
  options: Partial<ReplicaOptions<S>> = {},
): Promise<Replica<S>> {
  const replica = await startReplica(url, options)
  open.push(replica)
  return replica
}
