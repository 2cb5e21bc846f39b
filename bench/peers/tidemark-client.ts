import { openReplica, type Replica } from '../../client/index.ts'
import { sync } from './sync.ts'

/** What a client of either side is told to do. */
export type ClientOrder =
  | {
      readonly do: 'open'
      readonly url: string
      readonly user: string
      readonly token: string
      readonly groups: readonly number[]
      readonly wanted: number
    }
  | { readonly do: 'watch'; readonly ids: readonly string[]; readonly first: number }

/** What it answers; times are in milliseconds on the machine's monotonic clock. */
export interface ClientAnswer {
  readonly ready?: number
  readonly watching?: true
  readonly arrivals?: readonly number[]
}

const nowMs = () => Number(process.hrtime.bigint()) / 1e6
const send = (answer: ClientAnswer) => process.send?.(answer)
let replica: Replica | null = null

async function open({ url, user, token, wanted }: Extract<ClientOrder, { do: 'open' }>): Promise<void> {
  const startedMs = nowMs()
  replica = await openReplica({ url, user, token: async () => token, sync, storage: 'memory://' })
  await replica.ready
  const readyMs = nowMs()
  const { rows } = await replica.db.query<{ n: number }>('SELECT count(*)::int AS n FROM item')
  if (rows[0]?.n !== wanted) throw new Error(`The replica has ${rows[0]?.n} rows and not ${wanted}.`)
  await replica.settled()
  send({ ready: readyMs - startedMs })
}

/** Looks whenever the replica has applied something, for the update that is to come next. */
function watch(opened: Replica, { ids, first }: Extract<ClientOrder, { do: 'watch' }>): void {
  const atMs: number[] = []
  let lsn = opened.status.lsn
  let isLooking = false
  let isDue = false
  const look = async () => {
    isDue = true
    if (isLooking) return
    isLooking = true
    while (isDue && atMs.length < ids.length) {
      isDue = false
      for (let next = atMs.length; next < ids.length; next++) {
        const { rows } = await opened.db.query<{ seq: number }>('SELECT seq FROM item WHERE id = $1', [ids[next]])
        if (rows[0]?.seq !== first + next) break
        atMs.push(nowMs())
      }
    }
    isLooking = false
    if (atMs.length < ids.length) return
    unsubscribe()
    send({ arrivals: atMs })
  }
  const unsubscribe = opened.subscribe((status) => {
    if (status.lsn === lsn) return
    lsn = status.lsn
    void look()
  })
  send({ watching: true })
}

process.on('message', (order: ClientOrder) => {
  if (order.do === 'watch') {
    if (replica) watch(replica, order)
    return
  }
  open(order).catch((error: unknown) => {
    console.error(error)
    process.exit(1)
  })
})
process.on('disconnect', () => process.exit(0))
