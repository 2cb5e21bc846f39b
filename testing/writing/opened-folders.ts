import type { Replica } from '../../client/replica-api.ts'
import type { PushedMutation } from '../../protocol/index.ts'
import { FOLDERS } from '../replica/definitions.ts'
import {
  at,
  batch,
  committedAs,
  type ScriptedServer,
  type ScriptedSession,
  type SnapshotScript,
} from '../replica/scripted-server.ts'
import { serve, start } from '../replica/serve.ts'
import { statusThat } from '../replica/start-replica.ts'
import { folderSync } from './folder-sync.ts'

export { folderSync }

export type FolderReplica = Replica<typeof folderSync>

const aNote = (id: string) => ({ id, org: 'a', folder: null, title: 'first', slug: null, count: '0', seq: null })

const SNAPSHOT: SnapshotScript = {
  start: at(0x100),
  fence: at(0x100),
  snapshot: '10:10:',
  rows: { 'public.note': [aNote('1'), aNote('2')] },
}

export const serveFolders = () => serve(FOLDERS, { 'org:a': SNAPSHOT })

/** Resolves once the replica has caught up. */
export async function live(replica: Replica): Promise<void> {
  await replica.ready
  await statusThat(replica, ({ phase }) => phase === 'live')
}

/** Opens a replica with two notes, live, and answers it with the server's side of it. */
export async function openedFolders(storage = 'memory://') {
  const { server, url } = await serveFolders()
  const replica: FolderReplica = await start(url, { sync: folderSync, storage })
  await live(replica)
  return { server, url, replica, session: await server.session(0) }
}

/** Sends commits of these mutations, one after another, from the last head on. */
export function commit(
  server: ScriptedServer,
  session: ScriptedSession,
  ...mutations: readonly PushedMutation[]
): void {
  for (const mutation of mutations) {
    const before = server.head
    server.head = at(Number.parseInt(before, 16) + 0x10)
    session.send(batch(before, server.head, [committedAs(server.head, mutation)]))
  }
}

/** Reads all notes as text, in the order of their ids. */
export async function notesOf(replica: Replica): Promise<Record<string, string | null>[]> {
  const { rows } = await replica.db.query<Record<string, string | null>>(
    'SELECT id, folder, title, slug, count::text FROM note ORDER BY id',
  )
  return rows
}
