import { openReplica } from '../../client/index.ts'
import { folderSync } from './opened-folders.ts'

/** Run as a process of its own, to be killed while it writes: `node write-until-killed.ts <url> <directory>`. */
const [, , url = '', storage = ''] = process.argv
const replica = await openReplica({ url, user: 'ann', token: () => 'token', sync: folderSync, storage })
await replica.ready
for (;;) {
  const { id } = await replica.actions.addOne({ id: '1' })
  // The id is printed only once the mutation is durable.
  console.log(id)
  // The database answers without ever ending the event loop's turn, and sockets need a turn too.
  await new Promise((resolve) => setImmediate(resolve))
}
