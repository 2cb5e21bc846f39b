import { evictDurableObject, runInDurableObject } from 'cloudflare:test'
import { beforeAll, describe, expect, it } from 'vitest'
import { clientAudience, isClientAudience, type Transaction } from '../../protocol/index.ts'
import { encodeTransaction } from '../../testing/encoded-transactions.ts'
import { servers } from '../../testing/postgres/servers.ts'
import { useTestDatabase } from '../../testing/postgres/use-test-database.ts'
import {
  beginEpoch,
  connect,
  databaseUse,
  deliver,
  follow,
  insert,
  lsn,
  replication,
  stageOf,
  store,
  syncObject,
  transaction,
} from '../../testing/workerd/distribution.ts'
import { useDatabase } from '../../testing/workerd/worker.ts'

const database = useTestDatabase(servers().system)
beforeAll(() => {
  useDatabase(database.env)
})

/** Each behaviour is tested twice: as it is, and with the object evicted at each `pause`. */
describe.each([
  ['', async () => {}],
  [' after eviction', async (name: string) => evictDurableObject(syncObject(name))],
] as const)('deliveries to a SyncDO%s', (title, pause) => {
  const tag = title === '' ? 'a' : 'b'

  it(`DIS-01 DIS-04 DIS-R1 each session gets its audiences, and its part of a transaction whole${title}`, async () => {
    const epoch = `e01${tag}`
    await beginEpoch(database.env, epoch)
    const [a, b] = [`org:01${tag}`, `org:01x${tag}`]
    const first = await follow({ userId: 'u1', audiences: [a] }, epoch, lsn(0))
    const second = await follow({ userId: 'u2', audiences: [b] }, epoch, lsn(0))
    await Promise.all([first.reaches(lsn(0)), second.reaches(lsn(0))])
    const [x, y, z] = [insert(a), insert(b), insert(a)]
    await pause(a)
    await pause(b)
    await deliver(a, epoch, lsn(0), lsn(5), [transaction(lsn(3), x, z)])
    await deliver(b, epoch, lsn(0), lsn(5), [transaction(lsn(3), y)])
    await Promise.all([first.reaches(lsn(5)), second.reaches(lsn(5))])
    expect(first.transactions.map(({ changes }) => changes)).toEqual([[wire(x), wire(z)]])
    expect(second.transactions.map(({ changes }) => changes)).toEqual([[wire(y)]])
    const { requests } = await replication().asked(a)
    expect(requests.at(-1)?.audiences.filter((audience) => !isClientAudience(audience))).toEqual([a])
  })

  it(`DIS-02 DIS-R2 what is lost, doubled or reordered is read once from history and sent once, in order${title}`, async () => {
    const epoch = `e02${tag}`
    await beginEpoch(database.env, epoch)
    const org = `org:02${tag}`
    const transactions = [1, 2, 3, 4, 5, 6].map((step) => transaction(lsn(step), insert(org)))
    const [one, two, three, four, five, six] = transactions as [
      Transaction,
      Transaction,
      Transaction,
      Transaction,
      Transaction,
      Transaction,
    ]
    await store(database.env, epoch, transactions)
    const socket = await follow({ userId: 'u', audiences: [org] }, epoch, lsn(0))
    await socket.frame('welcome')
    expect((await deliver(org, epoch, lsn(0), lsn(1), [one])).head).toBe(lsn(1))
    await pause(org)
    expect((await deliver(org, epoch, lsn(0), lsn(1), [one])).head).toBe(lsn(1))
    // The second delivery is late: the third comes before it.
    expect((await deliver(org, epoch, lsn(2), lsn(3), [three])).head).toBe(lsn(3))
    await pause(org)
    expect((await deliver(org, epoch, lsn(1), lsn(2), [two])).head).toBe(lsn(3))
    // An overlap comes, then a notice, then the transactions that the notice stood for.
    expect((await deliver(org, epoch, lsn(2), lsn(4), [three, four])).head).toBe(lsn(4))
    expect((await deliver(org, epoch, lsn(4), lsn(6), null)).head).toBe(lsn(6))
    await pause(org)
    expect((await deliver(org, epoch, lsn(4), lsn(6), [five, six])).head).toBe(lsn(6))
    await socket.reaches(lsn(6))
    expect(socket.transactions.map((sent) => sent.lsn)).toEqual(transactions.map((sent) => sent.lsn))
  })

  it(`DIS-05 DIS-08 DIS-25 DIS-R3 an audience the log lacks is served from history, then live${title}`, async () => {
    const epoch = `e05${tag}`
    await beginEpoch(database.env, epoch)
    const [org, late] = [`org:05${tag}`, `team:05${tag}`]
    const old = [1, 2, 3].map((step) => transaction(lsn(step), insert(org), insert(late)))
    await store(database.env, epoch, old)
    const first = await follow({ userId: 'u1', audiences: [org] }, epoch, lsn(0))
    await first.frame('welcome')
    await deliver(
      org,
      epoch,
      lsn(0),
      lsn(3),
      [1, 2, 3].map((step, index) => transaction(lsn(step), old[index]?.changes[0] ?? insert(org))),
    )
    await first.reaches(lsn(3))
    await pause(org)
    // While the late audience joins, a delivery of the old subscription is under way.
    const stale = (await replication().asked(org)).requests.at(-1)?.version ?? 0
    const four = transaction(lsn(4), insert(org), insert(late))
    await store(database.env, epoch, [four])
    await replication().stage(stageOf(epoch, { routedTo: lsn(4) }))
    const second = await follow({ userId: 'u2', audiences: [org, late] }, epoch, lsn(0))
    await second.frame('welcome')
    await syncObject(org).deliver({
      epoch,
      version: stale,
      from: lsn(3),
      to: lsn(4),
      transactions: [encodeTransaction(transaction(lsn(4), four.changes[0] ?? insert(org)))],
      definition: null,
      rights: null,
    })
    await second.reaches(lsn(4))
    expect(second.ids).toEqual(
      [...old, four].flatMap(({ changes }) => changes.map((change) => change.op === 'insert' && change.data.id)),
    )
    await pause(org)
    const five = transaction(lsn(5), insert(late), insert(org))
    await deliver(org, epoch, lsn(4), lsn(5), [five])
    await Promise.all([first.reaches(lsn(5)), second.reaches(lsn(5))])
    expect(second.transactions.at(-1)?.changes).toEqual(five.changes.map(wire))
    expect(first.transactions.at(-1)?.changes).toEqual([wire(five.changes[1] ?? insert(org))])
  })

  it(`DIS-06 DIS-27 one socket carries all audiences of its user, a move between them in commit order${title}`, async () => {
    const epoch = `e06${tag}`
    await beginEpoch(database.env, epoch)
    const [a, b] = [`org:06${tag}`, `org:06y${tag}`]
    const socket = await follow({ userId: 'u', audiences: [a, b] }, epoch, lsn(0))
    await socket.frame('welcome')
    const row = insert(a)
    if (row.op !== 'insert') throw new Error('unreachable')
    const gone = { op: 'delete', table: row.table, audience: a, key: { id: row.data.id ?? null } } as const
    const come = { ...row, audience: b }
    await pause(a)
    await deliver(a, epoch, lsn(0), lsn(2), [transaction(lsn(1), row), transaction(lsn(2), gone, come)])
    await socket.reaches(lsn(2))
    expect(socket.transactions.flatMap(({ changes }) => changes.map((change) => change.o))).toEqual(['i', 'd', 'i'])
  })

  it(`DIS-16 DIS-R14 an idle client learns the head, and its reconnect is sent nothing${title}`, async () => {
    const epoch = `e16${tag}`
    await beginEpoch(database.env, epoch)
    const org = `org:16${tag}`
    const person = { userId: 'u', audiences: [org] }
    const socket = await follow(person, epoch, lsn(0))
    await socket.frame('welcome')
    for (const step of [1, 2, 3, 4, 5, 6, 7, 8]) await deliver(org, epoch, lsn(step - 1), lsn(step), [])
    await pause(org)
    await socket.reaches(lsn(8))
    expect(socket.frames.filter((frame) => frame.type === 'batch').length).toBeLessThan(8)
    socket.close()
    const again = await connect(person, { epoch, cursor: lsn(8) })
    expect(await again.frame('welcome')).toMatchObject({ resume: 'stream', head: lsn(8) })
    await deliver(org, epoch, lsn(8), lsn(9), [transaction(lsn(9), insert(org))])
    await again.reaches(lsn(9))
    expect(again.frames.filter((frame) => frame.type === 'batch')).toHaveLength(1)
  })

  it(`DIS-16 DIS-R14 a fresh head reaches the asking user's sockets at once${title}`, async () => {
    const epoch = `e16f${tag}`
    await beginEpoch(database.env, epoch)
    const org = `org:16f${tag}`
    const socket = await follow({ userId: 'u', audiences: [org] }, epoch, lsn(0))
    await socket.frame('welcome')
    await store(database.env, epoch, [transaction(lsn(2), insert(org))])
    await pause(org)
    await syncObject(org).announce({ epoch, lsn: lsn(3) }, 'u')
    await socket.reaches(lsn(3))
    expect(socket.ids).toHaveLength(1)
    await syncObject(org).announce({ epoch, lsn: lsn(4) }, 'u')
    await socket.reaches(lsn(4))
  })

  it(`DIS-26 DIS-R3 a head that nobody delivered is read from history when the lease is renewed${title}`, async () => {
    const epoch = `e26${tag}`
    await beginEpoch(database.env, epoch)
    const org = `org:26${tag}`
    await replication().stage(stageOf(epoch, { leaseMs: 900 }))
    const socket = await follow({ userId: 'u', audiences: [org] }, epoch, lsn(0))
    await socket.frame('welcome')
    await store(database.env, epoch, [transaction(lsn(7), insert(org))])
    await replication().stage(stageOf(epoch, { routedTo: lsn(7), leaseMs: 900 }))
    await pause(org)
    await socket.reaches(lsn(7))
    expect(socket.ids).toHaveLength(1)
  })

  it(`FLT-03 DIS-R9 another epoch voids the log, and every session hydrates anew${title}`, async () => {
    const epoch = `e03${tag}`
    await beginEpoch(database.env, epoch)
    const org = `org:f03${tag}`
    const person = { userId: 'u', audiences: [org] }
    const socket = await follow(person, epoch, lsn(0))
    await socket.frame('welcome')
    await deliver(org, epoch, lsn(0), lsn(9), [transaction(lsn(9), insert(org))])
    await socket.reaches(lsn(9))
    const next = `${epoch}n`
    await beginEpoch(database.env, next, lsn(2))
    await pause(org)
    await deliver(org, next, lsn(2), lsn(3), [transaction(lsn(3), insert(org))])
    expect(await socket.frame('rehydrate')).toMatchObject({ reason: 'epoch' })
    socket.cursor = lsn(2)
    socket.send({ type: 'stream', epoch: next, from: lsn(2) })
    await store(database.env, next, [transaction(lsn(3), insert(org))])
    await deliver(org, next, lsn(2), lsn(4), null)
    await socket.reaches(lsn(4))
    expect(socket.transactions.at(-1)?.lsn).toBe(lsn(3))
    // A late delivery of the ended history changes nothing.
    expect(await deliver(org, epoch, lsn(9), lsn(20), [transaction(lsn(20), insert(org))])).toEqual({
      epoch: next,
      head: lsn(4),
    })
  })

  it(`DIS-R9 another definition has every session hydrate anew${title}`, async () => {
    const epoch = `e09${tag}`
    await beginEpoch(database.env, epoch)
    const org = `org:d09${tag}`
    const socket = await follow({ userId: 'u', audiences: [org] }, epoch, lsn(0))
    await socket.frame('welcome')
    await pause(org)
    const definition = { version: 2, hash: 'h2', definition: { types: [], tables: [] } }
    const { requests } = await replication().asked(org)
    await syncObject(org).deliver({
      epoch,
      version: requests.at(-1)?.version ?? 0,
      from: lsn(0),
      to: lsn(1),
      transactions: [],
      definition,
      rights: null,
    })
    expect(await socket.frame('rehydrate')).toMatchObject({ reason: 'definition' })
    await pause(org)
    const other = await connect({ userId: 'v', audiences: [org] }, { epoch, cursor: lsn(1) })
    expect(await other.frame('welcome')).toMatchObject({
      resume: 'hydrate',
      reason: 'definition',
      definitionHash: 'h2',
    })
  })

  it(`DIS-R9 a definition that comes back has every session hydrate anew${title}`, async () => {
    const epoch = `e30${tag}`
    await beginEpoch(database.env, epoch)
    const org = `org:d30${tag}`
    const socket = await follow({ userId: 'u', audiences: [org] }, epoch, lsn(0))
    await socket.frame('welcome')
    await pause(org)
    const { requests } = await replication().asked(org)
    // The version between, of other tables, was never announced alone, and rows it left out of history are gone.
    const definition = { version: 3, hash: 'h1', definition: { types: [], tables: [] } }
    const version = requests.at(-1)?.version ?? 0
    await syncObject(org).deliver({
      epoch,
      version,
      from: lsn(0),
      to: lsn(1),
      transactions: [],
      definition,
      rights: null,
    })
    expect(await socket.frame('rehydrate')).toMatchObject({ reason: 'definition' })
    await pause(org)
    const other = await connect({ userId: 'v', audiences: [org] }, { epoch, cursor: lsn(1) })
    expect(await other.frame('welcome')).toMatchObject({
      resume: 'hydrate',
      reason: 'definition',
      definitionVersion: 3,
    })
  })
})

it.each([
  ['', true, 2],
  [', who come here for the first time', false, 200],
])(
  'DIS-07 DIS-24 DIS-R7 DIS-R17 a reconnect storm of 1,000 clients%s is answered from the log',
  async (_, here, most) => {
    const epoch = `e07${here}`
    await beginEpoch(database.env, epoch)
    const org = `org:07${here}`
    const clients = Array.from({ length: 1000 }, (_, index) => ({
      person: { userId: `s${index}`, audiences: [org] },
      client: `storm-client-${here}-${String(index).padStart(6, '0')}`,
    }))
    const first = await follow({ userId: 'first', audiences: [org] }, epoch, lsn(0))
    await first.frame('welcome')
    await deliver(org, epoch, lsn(0), lsn(1), [transaction(lsn(1), insert(org))])
    // All these clients have been here before.
    await runInDurableObject(syncObject(org), (_instance, state) => {
      for (const { client, person } of clients) {
        state.storage.sql.exec('INSERT INTO known_client (id, user_id) VALUES (?, ?)', client, person.userId)
        if (here) {
          const row = [clientAudience(client), lsn(0), Date.now()]
          state.storage.sql.exec('INSERT INTO audience (name, start, version, used_at_ms) VALUES (?, ?, 0, ?)', ...row)
        }
      }
    })
    await evictDurableObject(syncObject(org), { webSockets: 'close' })
    const before = await databaseUse(database.env)
    const sockets = await Promise.all(
      clients.map(({ person, client }) => connect(person, { client, epoch, cursor: lsn(0) })),
    )
    await Promise.all(sockets.map((socket) => socket.reaches(lsn(1))))
    expect(await databaseUse(database.env)).toEqual(before)
    expect(sockets.every((socket) => socket.ids.length === 1)).toBe(true)
    expect((await replication().asked(org)).requests.length).toBeLessThanOrEqual(most)
    for (const socket of sockets) socket.close()
  },
)

function wire(change: Transaction['changes'][number]) {
  if (change.op !== 'insert') throw new Error('an insert')
  return { o: 'i', t: change.table, a: change.audience, d: change.data }
}
