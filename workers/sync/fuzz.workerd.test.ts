import { evictDurableObject } from 'cloudflare:test'
import { beforeAll, expect, it } from 'vitest'
import type { Lsn, Transaction } from '../../protocol/index.ts'
import { encodeTransaction } from '../../testing/encoded-transactions.ts'
import { servers } from '../../testing/postgres/servers.ts'
import { useTestDatabase } from '../../testing/postgres/use-test-database.ts'
import {
  beginEpoch,
  connect,
  insert,
  lsn,
  newClient,
  replication,
  stageOf,
  store,
  syncObject,
  transaction,
} from '../../testing/workerd/distribution.ts'
import type { TestSocket } from '../../testing/workerd/test-socket.ts'
import { useDatabase } from '../../testing/workerd/worker.ts'

const database = useTestDatabase(servers().system)
beforeAll(() => {
  useDatabase(database.env)
})

/** Makes the random generator Mulberry32. */
function randomFrom(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296) * below)
  }
}

const END = 50
const visible = (transactions: readonly Transaction[], audiences: readonly string[], from: Lsn, to: Lsn) =>
  transactions
    .filter((one) => one.lsn > from && one.lsn <= to)
    .map((one) => transaction(one.lsn, ...one.changes.filter(({ audience }) => audiences.includes(audience ?? ''))))
    .filter(({ changes }) => changes.length > 0)

interface Replica {
  readonly client: string
  readonly userId: string
  readonly audiences: readonly string[]
  readonly from: Lsn
  readonly before: (string | null | undefined)[]
  socket: TestSocket
}

it.each([1, 2, 3, 4, 5, 6, 7, 8])(
  'FLT-08 FLT-10 DIS-02 DIS-18 DIS-25 whatever is lost, doubled, late, evicted, slow or reconnected, each client gets its changes once in order (seed %i)',
  async (seed) => {
    const random = randomFrom(seed)
    const epoch = `fuzz${seed}`
    const name = `org:fuzz${seed}`
    const all = [name, `team:fuzz${seed}`, `user:fuzz${seed}`]
    const log: string[] = []
    const history = Array.from({ length: END }, (_, index) => {
      const changes = Array.from({ length: random(12) === 0 ? 40 : 1 + random(3) }, () =>
        insert(all[random(all.length)] ?? name, 'f'.repeat(random(25) === 0 ? 6_000 : random(400))),
      )
      return transaction(lsn(index + 1), ...changes)
    })
    await beginEpoch(database.env, epoch)
    await store(database.env, epoch, history)
    const replicas: Replica[] = []
    let routed = 0
    const open = async (replica: Omit<Replica, 'socket'>, cursor: Lsn) => {
      const person = { userId: replica.userId, audiences: replica.audiences }
      const socket = await connect(person, { client: replica.client, epoch, cursor, autoAck: random(3) > 0 })
      const welcome = await socket.frame('welcome')
      expect(welcome.resume).toBe('stream')
      return socket
    }
    const deliver = async (from: number, to: number) => {
      const { requests } = await replication().asked(name)
      // Sometimes the delivery was built for an older subscription.
      const request = requests.at(-1 - random(2)) ?? requests.at(-1)
      const whole = random(4) > 0
      log.push(`deliver ${from}..${to} version ${request?.version} ${whole ? 'whole' : 'notice'}`)
      const transactions = whole ? visible(history, request?.audiences ?? [], lsn(from), lsn(to)) : null
      await syncObject(name).deliver({
        epoch,
        version: request?.version ?? 0,
        from: lsn(from),
        to: lsn(to),
        transactions: transactions?.map(encodeTransaction) ?? null,
        definition: null,
        rights: null,
      })
    }
    const turn = async () => {
      const choice = random(10)
      if (choice < 5 && replicas.length > 0) {
        // The delivery is late, doubled, with a gap, or as it should be.
        const from = random(3) === 0 ? random(routed + 1) : Math.min(routed + (random(5) === 0 ? 1 : 0), END - 1)
        const to = Math.min(END, from + 1 + random(3))
        routed = Math.max(routed, to)
        await deliver(from, to)
      } else if (choice < 7 && replicas.length < 10) {
        await replication().stage(stageOf(epoch, { routedTo: lsn(routed) }))
        const audiences = all.filter((_, index) => index === 0 || random(2) === 0)
        const from = lsn(random(routed + 1))
        const fresh = { client: newClient(), userId: `f${seed}.${replicas.length}`, audiences, from, before: [] }
        log.push(`connect ${fresh.userId} ${audiences.length} from ${from}`)
        replicas.push({ ...fresh, socket: await open(fresh, from) })
      } else if (choice === 7 && replicas.length > 0) {
        log.push('evict')
        await syncObject(name).health()
        await evictDurableObject(syncObject(name), random(4) === 0 ? { webSockets: 'close' } : {})
      } else if (choice === 8) {
        for (const { socket } of replicas) if (socket.closed === null) socket.ack()
      } else if (replicas.length > 0) {
        const index = random(replicas.length)
        const replica = replicas[index]
        if (replica) await reconnect(replica, index)
      }
    }
    const reconnect = async (replica: Replica, index: number) => {
      const { socket } = replica
      log.push(`reconnect ${replica.userId}`)
      if (socket.closed === null) socket.close()
      const kept = { ...replica, before: [...replica.before, ...socket.ids] }
      replicas[index] = { ...kept, socket: await open(kept, socket.cursor ?? replica.from) }
    }
    try {
      for (let step = 0; step < 60; step += 1) await turn()
      for (const [index, replica] of replicas.entries()) if (replica.socket.closed) await reconnect(replica, index)
      await deliver(routed, END)
      await syncObject(name).deliver({
        epoch,
        version: 0,
        from: lsn(0),
        to: lsn(END),
        transactions: null,
        definition: null,
        rights: null,
      })
      for (const replica of replicas) {
        replica.socket.autoAck = true
        replica.socket.ack()
        await replica.socket.reaches(lsn(END))
        const expected = visible(history, replica.audiences, replica.from, lsn(END)).flatMap(({ changes }) =>
          changes.map((change) => change.op === 'insert' && change.data.id),
        )
        expect([...replica.before, ...replica.socket.ids]).toEqual(expected)
      }
    } catch (error) {
      console.log(log.join('\n'))
      throw error
    }
  },
)
