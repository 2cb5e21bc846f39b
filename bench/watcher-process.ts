import { openReplica } from '../client/index.ts'
import { sync } from '../testing/writing-oracle/app/sync.ts'

/** The order that tells the process which tally to watch. */
export interface WatchOrder {
  readonly url: string
  readonly user: string
  readonly token: string
  readonly tally: string
}

/** One log of the tally that a live query showed; `atNs` is on the machine's monotonic clock, in decimal. */
export interface Sighting {
  readonly log: string
  readonly atNs: string
}

/** A replica in a process of its own, as on another machine; ends with its parent. */
process.on('message', ({ url, user, token, tally }: WatchOrder) => {
  const open = async () => {
    const replica = await openReplica({ url, user, token: async () => token, sync, storage: 'memory://' })
    await replica.ready
    await replica.settled()
    await replica.db.live.query<{ log: string }>('SELECT log FROM public.tally WHERE id = $1', [tally], ({ rows }) => {
      process.send?.({ log: rows[0]?.log ?? '', atNs: String(process.hrtime.bigint()) } satisfies Sighting)
    })
  }
  open().catch((error: unknown) => {
    console.error(error)
    process.exit(1)
  })
})
process.on('disconnect', () => process.exit(0))
