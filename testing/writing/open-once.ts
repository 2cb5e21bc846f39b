import { openReplica } from '../../client/index.ts'
import { folderSync } from './opened-folders.ts'

/** Run as a process of its own, which may be short of something: says how many wait to be sent, or what keeps it shut. */
const [, , url = '', storage = ''] = process.argv
try {
  const replica = await openReplica({ url, user: 'ann', token: () => 'token', sync: folderSync, storage })
  console.log(`pending ${replica.status.pending}`)
  await replica.close()
} catch (error) {
  console.log(`fault ${error instanceof Error ? `${'kind' in error ? error.kind : ''} ${error.message}` : error}`)
}
