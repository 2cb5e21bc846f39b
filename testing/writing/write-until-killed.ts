import { openReplica } from '../../client/index.ts'
import { folderSync } from './opened-folders.ts'

/** Run as a process of its own, to be killed while it writes: `node write-until-killed.ts <url> <directory>`. */
const [, , url = '', storage = ''] = process.argv
const replica = await openReplica({ url, user: 'ann', token: () => 'token', sync: folderSync, storage })
await replica.ready
for (;;) {
  const { id } = await replica.actions.addOne({ id: '1' })
  // Said only once it is durable.
  console.log(id)
}
