import { openReplica } from '../client/index.ts'
import { sync } from '../examples/tracker/sync.ts'

/** A replica in a process of its own, so that its memory can be measured; ends with its parent. */
process.on('message', ({ url, user, token }: { url: string; user: string; token: string }) => {
  const open = async () => {
    const replica = await openReplica({ url, user, token: async () => token, sync, storage: 'memory://' })
    await replica.ready
    process.send?.('ready')
  }
  open().catch((error: unknown) => {
    console.error(error)
    process.exit(1)
  })
})
process.on('disconnect', () => process.exit(0))
