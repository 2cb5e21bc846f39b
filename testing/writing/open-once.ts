import { openReplica } from '../../client/index.ts'
import { openReplicaOn } from '../../client/open-replica.ts'
import { openWithBuffers } from '../replica/prepared-database.ts'
import { folderSync } from './opened-folders.ts'

/**
 * Run as a process of its own, which may lack memory, say: prints how many mutations are pending, or the fault. Without a
 * storage it opens the default one.
 */
const [, , url = '', storage = '', buffers = ''] = process.argv
const options = { url, user: 'ann', token: () => 'token', sync: folderSync, ...(storage ? { storage } : {}) }
try {
  const replica = await (buffers
    ? openReplicaOn(options, (place) => openWithBuffers(place, buffers))
    : openReplica(options))
  console.log(`pending ${replica.status.pending}`)
  await replica.close()
} catch (error) {
  console.log(`fault ${error instanceof Error ? `${'kind' in error ? error.kind : ''} ${error.message}` : error}`)
}
