import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test'
import { beforeAll, describe, expect, it } from 'vitest'
import {
  type Change,
  clientAudience,
  decodeMarked,
  encodeChange,
  type Lsn,
  type PredictedChange,
  type Rejection,
  type Transaction,
  type TransactionMutation,
} from '../../protocol/index.ts'
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

const evict = (name: string) => evictDurableObject(syncObject(name))

const mutated = (one: Transaction, mutation: Partial<TransactionMutation> & { client: string }): Transaction => ({
  ...one,
  mutation: { counter: 1, rejection: null, predicted: null, ...mutation },
})

const predictedOf = (change: Change): PredictedChange => {
  if (change.op === 'truncate') throw new Error('Nobody predicts it.')
  const { table: t, audience: a } = change
  if (change.op === 'insert') return { o: 'i', t, a, k: { id: change.data.id ?? null }, d: change.data }
  if (change.op === 'delete') return { o: 'd', t, a, k: change.key }
  return { o: 'u', t, a, k: change.key, d: change.data }
}

/** The changes that a socket was sent at one LSN, as they came; null where there were none. */
const sentAt = (socket: TestSocket, at: Lsn) => socket.transactions.find((one) => one.lsn === at)?.changes ?? null
const notes = (socket: TestSocket) =>
  socket.transactions.flatMap(({ changes }) => changes.filter(({ o }) => o === 'm' || o === 'p'))
const plain = (one: Transaction) => one.changes.map(encodeChange)

describe.each([
  ['', async () => {}],
  [' after eviction', evict],
] as const)('a mutation in the stream%s', (title, pause) => {
  const tag = title === '' ? 'a' : 'b'
  const begin = async (key: string, audiences?: readonly string[]) => {
    const epoch = `${key}${tag}`
    const org = `org:${key}${tag}`
    await beginEpoch(database.env, epoch)
    const client = newClient()
    const person = { userId: `u${key}${tag}`, audiences: audiences ?? [org] }
    return { epoch, org, client, person }
  }

  it(`DIS-11 DIS-12 SEC-04 DIS-R17 MRK-R2 its author is told what differs from his prediction, everyone else the rows${title}`, async () => {
    const { epoch, org, client, person } = await begin('m11')
    const author = await follow(person, epoch, lsn(0), { client })
    const device = await follow(person, epoch, lsn(0))
    const stranger = await follow({ userId: 'v', audiences: [org] }, epoch, lsn(0))
    const welcomes = await Promise.all([author, device, stranger].map((socket) => socket.frame('welcome')))
    expect(welcomes.map(({ audiences }) => audiences)).toEqual([[org], [org], [org]])
    await pause(org)
    const same = insert(org, 'as predicted')
    const altered = insert(org, 'as predicted')
    const change: Change = {
      op: 'update',
      table: 'public.item',
      audience: org,
      key: { id: '7' },
      data: { note: 'mine' },
    }
    const predicted = [
      predictedOf(same),
      {
        ...predictedOf(altered),
        d: { ...('data' in altered ? altered.data : {}), note: 'mine', extra: 'x' },
      } as PredictedChange,
      predictedOf(insert(org, 'the server leaves it out')),
      predictedOf({ ...change, data: { note: 'mine', at: 'here' } }),
    ]
    const unpredicted = insert(org, 'by a trigger')
    const own = mutated(transaction(lsn(1), same, altered, unpredicted, change), { client, counter: 5, predicted })
    const foreign = mutated(transaction(lsn(2), insert(org)), { client: newClient(), counter: 9, predicted: [] })
    await deliver(org, epoch, lsn(0), lsn(2), [own, foreign])
    await Promise.all([author, device, stranger].map((socket) => socket.reaches(lsn(2))))
    expect(sentAt(author, lsn(1))).toEqual([
      { o: 'm', c: 5 },
      { o: 'p', p: 0 },
      { o: 'p', p: 1, d: { note: 'as predicted' }, x: ['extra'] },
      encodeChange(unpredicted),
      { o: 'p', p: 3, x: ['at'] },
    ])
    expect(decodeMarked(sentAt(author, lsn(1)) ?? [], predicted)).toEqual(own.changes)
    expect(sentAt(author, lsn(2))).toEqual(plain(foreign))
    for (const other of [device, stranger]) {
      expect(other.transactions.map(({ changes }) => changes)).toEqual([plain(own), plain(foreign)])
      expect(JSON.stringify(other.frames)).not.toContain('client:')
    }
    // An author that comes back while the mutation is unsettled is told the same, from the log as from history.
    await pause(org)
    await store(database.env, epoch, [own, foreign])
    const again = await connect(person, { client, epoch, cursor: lsn(0), unsettled: true })
    await again.reaches(lsn(2))
    expect(again.transactions).toEqual(author.transactions)
    await runInDurableObject(syncObject(org), (_instance, state) => {
      state.storage.sql.exec('UPDATE audience SET start = ?', lsn(2))
    })
    await evict(org)
    const late = await connect(person, { client, epoch, cursor: lsn(0), unsettled: true })
    await late.reaches(lsn(2))
    expect(late.transactions.map(({ changes }) => changes)).toEqual(author.transactions.map(({ changes }) => changes))
    expect(await late.frame('welcome')).toMatchObject({ resume: 'stream', audiences: [org] })
  })

  it(`DIS-13 DIS-R17 one without effect, in audiences he does not see, or refused, is told its author whatever he sees${title}`, async () => {
    const { epoch, client, person } = await begin('m13', [])
    const object = `user:${person.userId}`
    const author = await follow(person, epoch, lsn(0), { client })
    const device = await follow(person, epoch, lsn(0))
    await Promise.all([author, device].map((socket) => socket.frame('welcome')))
    const rejection: Rejection = { kind: 'refused', message: 'no', code: 'closed' }
    const all = [
      mutated(transaction(lsn(1)), { client, counter: 1 }),
      mutated(transaction(lsn(2)), { client, counter: 2, predicted: [predictedOf(insert('org:unseen'))] }),
      mutated(transaction(lsn(3)), { client, counter: 3, rejection }),
    ]
    const told = [[{ o: 'm', c: 1 }], [{ o: 'm', c: 2 }], [{ o: 'm', c: 3, r: rejection }]]
    await pause(object)
    await deliver(object, epoch, lsn(0), lsn(3), all)
    await Promise.all([author, device].map((socket) => socket.reaches(lsn(3))))
    expect(author.transactions.map(({ changes }) => changes)).toEqual(told)
    expect(device.transactions).toEqual([])
    await store(database.env, epoch, all)
    await runInDurableObject(syncObject(object), (_instance, state) => {
      state.storage.sql.exec('UPDATE audience SET start = ?', lsn(3))
    })
    await evict(object)
    const again = await connect(person, { client, epoch, cursor: lsn(0), unsettled: true })
    await again.reaches(lsn(3))
    expect(again.transactions.map(({ changes }) => changes)).toEqual(told)
  })

  it(`DIS-14 DIS-R18 a stream may ask for the rows up to a place, and has them whole there and by difference beyond${title}`, async () => {
    const { epoch, org, client, person } = await begin('m14')
    const author = await follow(person, epoch, lsn(0), { client })
    await author.frame('welcome')
    const changes = [insert(org), insert(org)]
    const all = changes.map((change, index) =>
      mutated(transaction(lsn(index + 1), change), { client, counter: index + 1, predicted: [predictedOf(change)] }),
    )
    await store(database.env, epoch, all)
    await deliver(org, epoch, lsn(0), lsn(2), all)
    await author.reaches(lsn(2))
    expect(notes(author)).toHaveLength(4)
    const rest = [
      [{ o: 'm', c: 1 }, ...changes.slice(0, 1).map(encodeChange)],
      [
        { o: 'm', c: 2 },
        { o: 'p', p: 0 },
      ],
    ]
    for (const source of ['log', 'history']) {
      if (source === 'history') {
        await runInDurableObject(syncObject(org), (_instance, state) => {
          state.storage.sql.exec('UPDATE audience SET start = ?', lsn(2))
        })
        await evict(org)
      } else await pause(org)
      author.transactions.length = 0
      const restarts = author.frames.filter(({ type }) => type === 'restarted').length
      author.send({ type: 'stream', epoch, from: lsn(0), rowsTo: lsn(1) })
      await author.until(({ frames }) => frames.filter(({ type }) => type === 'restarted').length > restarts)
      await author.reaches(lsn(2))
      expect(author.transactions.map((one) => one.changes)).toEqual(rest)
    }
    // A later stream that does not ask for rows is told differences again.
    await pause(org)
    author.transactions.length = 0
    author.send({ type: 'stream', epoch, from: lsn(0) })
    await author.until(({ transactions }) => transactions.length === 2)
    expect(notes(author)).toHaveLength(4)
  })

  it(`DIS-15 MRK-R2 another's edit of a different column before mine comes before it, and mine says only its own${title}`, async () => {
    const { epoch, org, client, person } = await begin('m15')
    const author = await follow(person, epoch, lsn(0), { client })
    const device = await follow(person, epoch, lsn(0))
    await Promise.all([author, device].map((socket) => socket.frame('welcome')))
    const edit = (data: Record<string, string>): Change => ({
      op: 'update',
      table: 'public.item',
      audience: org,
      key: { id: 'row' },
      data,
    })
    const theirs = transaction(lsn(1), edit({ title: 'theirs' }))
    const mine = mutated(transaction(lsn(2), edit({ note: 'mine' })), {
      client,
      predicted: [predictedOf(edit({ note: 'mine' }))],
    })
    await pause(org)
    await deliver(org, epoch, lsn(0), lsn(2), [theirs, mine])
    await Promise.all([author, device].map((socket) => socket.reaches(lsn(2))))
    expect(author.transactions.map(({ changes }) => changes)).toEqual([
      plain(theirs),
      [
        { o: 'm', c: 1 },
        { o: 'p', p: 0 },
      ],
    ])
    expect(device.transactions.map(({ changes }) => changes)).toEqual([plain(theirs), plain(mine)])
  })

  it.each(['the log', 'history', 'both'] as const)(
    `DIS-17 DIS-19 DIS-R6 MRK-R3 a large one in parts, from %s, has its rows told once each${title}`,
    async (source) => {
      const { epoch, org, client, person } = await begin(`m17${source.at(-1)}`)
      const changes = Array.from({ length: 60 }, (_, index) =>
        insert(org, `${index}`.repeat(index === 40 ? 4_500 : 300)),
      )
      const predicted = changes.filter((_, index) => index % 3 > 0).map(predictedOf)
      const own = mutated(transaction(lsn(2), ...changes), { client, counter: 3, predicted })
      const all = [transaction(lsn(1), insert(org)), own, transaction(lsn(3), insert(org))]
      await store(database.env, epoch, all)
      const author = await follow(person, epoch, lsn(0), { client, autoAck: false })
      await author.frame('welcome')
      const forget = (start: Lsn) =>
        runInDurableObject(syncObject(org), (_instance, state) => {
          state.storage.sql.exec('UPDATE audience SET start = ?', start)
          const [ws] = state.getWebSockets()
          ws?.serializeAttachment({ ...ws.deserializeAttachment(), settledTo: lsn(0) })
        })
      if (source === 'history') {
        await forget(lsn(3))
        await evict(org)
      }
      await deliver(org, epoch, lsn(0), lsn(3), source === 'history' ? [] : all)
      await author.until(({ received }) => received > 10_000)
      if (source === 'both') {
        await forget(lsn(3))
        await evict(org)
      } else await pause(org)
      author.autoAck = true
      author.ack()
      await author.reaches(lsn(3))
      const sent = sentAt(author, lsn(2)) ?? []
      expect(sent).toHaveLength(61)
      expect(sent[0]).toEqual({ o: 'm', c: 3 })
      expect(decodeMarked(sent, predicted)).toEqual(changes)
      expect(sent.some(({ o }) => o === 'p')).toBe(true)
      expect(author.frames.some(({ type }) => type === 'part')).toBe(true)
    },
  )

  it(`DIS-28 DIS-R17 an idle reader costs no query, and his audience stays while he does${title}`, async () => {
    const { epoch, org, client, person } = await begin('m28')
    const author = await follow(person, epoch, lsn(0), { client })
    const leaving = newClient()
    const other = await follow({ ...person, userId: 'o' }, epoch, lsn(0), { client: leaving })
    await Promise.all([author, other].map((socket) => socket.frame('welcome')))
    await deliver(org, epoch, lsn(0), lsn(1), [transaction(lsn(1), insert(org))])
    await Promise.all([author, other].map((socket) => socket.reaches(lsn(1))))
    const version = (await replication().asked(org)).requests.at(-1)?.version
    // The client is known. Its audience joins anew and later, at the head of capture, which is beyond the log's.
    await runInDurableObject(syncObject(org), (_instance, state) => {
      state.storage.sql.exec('DELETE FROM audience WHERE name = ?', clientAudience(client))
    })
    await evict(org)
    await replication().stage(stageOf(epoch, { routedTo: lsn(1), capturedTo: lsn(8) }))
    const before = await databaseUse(database.env)
    const again = await connect(person, { client, epoch, cursor: lsn(0) })
    await again.reaches(lsn(1))
    expect(again.ids).toHaveLength(1)
    expect(await databaseUse(database.env)).toEqual(before)
    const { requests } = await replication().asked(org)
    expect(requests.at(-1)).toMatchObject({ version, renewal: true })
    expect(requests.at(-1)?.audiences).toContain(clientAudience(client))
    // The client's next push comes above that place.
    const own = mutated(transaction(lsn(9), insert(org)), { client, counter: 2 })
    await deliver(org, epoch, lsn(1), lsn(9), [own])
    await again.reaches(lsn(9))
    expect(sentAt(again, lsn(9))).toEqual([{ o: 'm', c: 2 }, ...plain(own)])
    // Long after, a client that is here keeps its place in the log, and one that left does not.
    other.close()
    await other.until(({ closed }) => closed !== null)
    await runInDurableObject(syncObject(org), async (_instance, state) => {
      while (state.getWebSockets().length > 1) await scheduler.wait(1)
      state.storage.sql.exec('UPDATE audience SET used_at_ms = 1')
    })
    await evict(org)
    await runDurableObjectAlarm(syncObject(org))
    const left = await runInDurableObject(syncObject(org), (_instance, state) =>
      state.storage.sql.exec<{ name: string }>('SELECT name FROM audience ORDER BY name').toArray(),
    )
    expect(left.map(({ name }) => name)).toEqual([clientAudience(client), org])
  })

  it(`SEC-04 DIS-R17 RGT-R1 in doubt nothing of it is told, and no answer names the client's audience${title}`, async () => {
    const { epoch, org, client, person } = await begin('m04')
    const author = await follow(person, epoch, lsn(0), { client })
    await author.frame('welcome')
    const own = mutated(transaction(lsn(1), insert(org)), { client })
    const { requests } = await replication().asked(org)
    const at = { epoch, version: requests.at(-1)?.version ?? 0, from: lsn(0), to: lsn(1), definition: null }
    await pause(org)
    await syncObject(org).deliver({ ...at, transactions: [encodeTransaction(own)], rights: [person.userId] })
    await author.reaches(lsn(1))
    expect(sentAt(author, lsn(1))).toEqual([{ o: 'm', c: 1 }, ...plain(own)])
    expect(JSON.stringify(author.frames)).not.toContain('client:')
  })
})
