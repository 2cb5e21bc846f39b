import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test'
import { beforeAll, describe, expect, it } from 'vitest'
import { clientAudience, LIMITS } from '../../protocol/index.ts'
import { insertedIds } from '../../testing/encoded-transactions.ts'
import { servers } from '../../testing/postgres/servers.ts'
import { useTestDatabase } from '../../testing/postgres/use-test-database.ts'
import {
  ask,
  beginEpoch,
  connect,
  deliver,
  follow,
  insert,
  lsn,
  newClient,
  openSocket,
  replication,
  stageOf,
  store,
  syncObject,
  tokenOf,
  transaction,
  upgradeHeaders,
} from '../../testing/workerd/distribution.ts'
import { STAGED_LIMITS } from '../../testing/workerd/staged.ts'
import { useDatabase } from '../../testing/workerd/worker.ts'
import type { KeptState } from './rules/kept-state.ts'

const database = useTestDatabase(servers().system)
beforeAll(() => {
  useDatabase(database.env)
})

const evict = (name: string) => evictDurableObject(syncObject(name))
const note = (chars: number) => 'n'.repeat(chars)

describe('hello', () => {
  it('DIS-R4 a client goes on from its cursor or hydrates, and is told why', async () => {
    await beginEpoch(database.env, 'hello', lsn(3))
    const person = { userId: 'u', audiences: ['org:h', 'user:u'] }
    const welcome = async (options: Parameters<typeof connect>[1]) => {
      const socket = await connect(person, options)
      const frame = await socket.frame('welcome')
      socket.close()
      return [frame.resume, frame.reason]
    }
    const at = { epoch: 'hello', cursor: lsn(3) }
    expect(await welcome({})).toEqual(['hydrate', 'new'])
    expect(await welcome(at)).toEqual(['stream', null])
    expect(await welcome({ ...at, cursor: lsn(9) })).toEqual(['stream', null])
    expect(await welcome({ ...at, cursor: lsn(2) })).toEqual(['hydrate', 'retention'])
    expect(await welcome({ ...at, epoch: 'other' })).toEqual(['hydrate', 'epoch'])
    expect(await welcome({ ...at, definitionHash: 'old' })).toEqual(['hydrate', 'definition'])
    expect(await welcome({ ...at, definitionVersion: 0 })).toEqual(['hydrate', 'definition'])
    const most = Array.from({ length: 198 }, (_, index) => `org:${index}`.padEnd(512, 'x'))
    expect(await welcome({ ...at, held: [...person.audiences, ...most] })).toEqual(['stream', null])
    expect(await welcome({ ...at, held: ['org:h'] })).toEqual(['hydrate', 'audience-granted'])
    const revoked = await connect(person, { ...at, held: [...person.audiences, 'org:gone'] })
    expect(await revoked.frame('welcome')).toMatchObject({ resume: 'stream', audiences: person.audiences })
    const outdated = await openSocket(person)
    const nothing = {
      epoch: null,
      cursor: null,
      definitionVersion: null,
      definitionHash: null,
      audiences: [],
      unsettled: false,
    }
    outdated.send({ type: 'hello', client: newClient(), protocol: LIMITS.protocolVersion + 1, ...nothing })
    expect(await outdated.frame('fault')).toMatchObject({ kind: 'upgrade-required' })
  })

  it('SEC-04 DIS-R8 a client id belongs to the first user who showed it', async () => {
    await beginEpoch(database.env, 'bind')
    const client = newClient()
    const audiences = ['org:bind']
    const first = await connect({ userId: 'u', audiences }, { client })
    await first.frame('welcome')
    const thief = await connect({ userId: 'v', audiences }, { client })
    expect(await thief.frame('fault')).toMatchObject({ kind: 'forbidden' })
    await evict('org:bind')
    const elsewhere = await connect({ userId: 'v', audiences: ['org:bind2'] }, { client })
    expect(await elsewhere.frame('fault')).toMatchObject({ kind: 'forbidden' })
    expect(first.closed).toBeNull()
  })

  it('DIS-R8 of two sockets of one client the newer wins', async () => {
    await beginEpoch(database.env, 'twice')
    const client = newClient()
    const person = { userId: 'u', audiences: ['org:twice'] }
    const first = await connect(person, { client })
    await first.frame('welcome')
    await evict('org:twice')
    const second = await connect(person, { client })
    await second.frame('welcome')
    expect(await first.frame('fault')).toMatchObject({ kind: 'already-open' })
    await first.until(({ closed }) => closed !== null)
    expect(second.closed).toBeNull()
  })

  it('DIS-19 DIS-R10 an eviction while subscribing loses no hello', async () => {
    await beginEpoch(database.env, 'subscribing')
    const org = 'org:subscribing'
    const socket = await connect({ userId: 'u', audiences: [org] })
    await socket.frame('welcome')
    // The storage is made to stand as in the middle of a greeting.
    await runInDurableObject(syncObject(org), (_instance, state) => {
      const [ws] = state.getWebSockets()
      const attachment = ws?.deserializeAttachment()
      ws?.serializeAttachment({ ...attachment, phase: 'greeting' })
      const hello = {
        type: 'hello',
        protocol: LIMITS.protocolVersion,
        client: attachment.client,
        epoch: 'subscribing',
        cursor: lsn(0),
        definitionVersion: 1,
        definitionHash: 'h1',
        audiences: [org],
        unsettled: false,
      }
      state.storage.sql.exec('UPDATE session SET hello = ?', JSON.stringify(hello))
      state.storage.sql.exec('DELETE FROM audience')
    })
    await evict(org)
    // The lease has an alarm in any case.
    await runDurableObjectAlarm(syncObject(org))
    await socket.until(({ frames }) => frames.filter((frame) => frame.type === 'welcome').length === 2)
    expect(socket.frames.at(-1)).toMatchObject({ type: 'welcome', resume: 'stream' })
    const { requests } = await replication().asked(org)
    const { client } = await runInDurableObject(syncObject(org), (_instance, state) =>
      state.getWebSockets()[0]?.deserializeAttachment(),
    )
    expect(requests.at(-1)?.audiences).toEqual([org, clientAudience(client)])
  })
})

it('DIS-R25 the place of a session that follows the head is kept once, and is right after an eviction', async () => {
  const epoch = 'followed'
  await beginEpoch(database.env, epoch)
  const org = 'org:followed'
  await replication().stage(stageOf(epoch, { routedTo: lsn(0) }))
  const person = { userId: 'u', audiences: [org] }
  // An acknowledgement is written, so this client sends none by itself.
  const socket = await follow(person, epoch, lsn(0), { autoAck: false })
  await socket.frame('welcome')
  const all = Array.from({ length: 60 }, (_, index) => transaction(lsn(index + 1), insert(org, note(40))))
  await store(database.env, epoch, all)
  const kept = () =>
    runInDurableObject(
      syncObject(org),
      (_instance, state) => state.getWebSockets()[0]?.deserializeAttachment() as KeptState,
    )
  const deliverAll = async (from: number, to: number) => {
    for (let at = from; at < to; at++) await deliver(org, epoch, lsn(at), lsn(at + 1), all.slice(at, at + 1))
    await socket.reaches(lsn(to))
  }
  const counts = new Set<number>()
  for (let at = 0; at < 22; at++) {
    await deliverAll(at, at + 1)
    const { follows, sent } = await kept()
    expect(follows).toBe(true)
    counts.add(sent)
  }
  // An eighth of the window holds eight of these frames, and no other is written.
  expect(counts.size).toBeLessThan(6)
  for (const to of [24, 40, 60]) {
    await evict(org)
    await deliverAll(to === 24 ? 22 : to === 40 ? 24 : 40, to)
  }
  // What was sent before is counted again with the first acknowledgement after.
  await evict(org)
  socket.ack()
  await deliver(org, epoch, lsn(60), lsn(61), [transaction(lsn(61), insert(org))])
  await socket.reaches(lsn(61))
  expect(socket.closed).toBeNull()
  expect(socket.ids.slice(0, 60)).toEqual(insertedIds(all))
  expect(socket.ids).toHaveLength(61)
})

describe.each([
  ['', async () => {}],
  [' after eviction', evict],
] as const)('a stream%s', (title, pause) => {
  const tag = title === '' ? 'a' : 'b'

  it(`DIS-09 DIS-19 DIS-R6 a slow socket holds bounded bytes, is served from the log as it acknowledges, and holds up nobody${title}`, async () => {
    const epoch = `s09${tag}`
    await beginEpoch(database.env, epoch)
    const org = `org:s09${tag}`
    const slow = await follow({ userId: 'slow', audiences: [org] }, epoch, lsn(0), { autoAck: false })
    const fast = await follow({ userId: 'fast', audiences: [org] }, epoch, lsn(0))
    await Promise.all([slow.frame('welcome'), fast.frame('welcome')])
    const transactions = Array.from({ length: 20 }, (_, index) =>
      transaction(lsn(index + 1), insert(org, note(1_500)), insert(org, note(300))),
    )
    for (const [index, one] of transactions.entries()) await deliver(org, epoch, lsn(index), lsn(index + 1), [one])
    await fast.reaches(lsn(20))
    const bound = STAGED_LIMITS.windowChars + STAGED_LIMITS.frameChars + 500
    expect(slow.received).toBeLessThan(bound)
    expect(slow.cursor).not.toBe(lsn(20))
    await pause(org)
    await deliver(org, epoch, lsn(20), lsn(21), [])
    expect(slow.received).toBeLessThan(bound)
    let acked = slow.received
    slow.ack()
    await slow.until(({ received }) => received > acked)
    acked = slow.received
    await pause(org)
    slow.autoAck = true
    slow.ack()
    await slow.reaches(lsn(20))
    expect(slow.ids).toEqual(insertedIds(transactions))
    expect(fast.ids).toEqual(insertedIds(transactions))
  })

  it.each(['the log', 'history'] as const)(
    `DIS-17 DIS-19 DIS-R5 a large transaction comes in parts and a large change in fragments, from %s${title}`,
    async (source) => {
      const key = `${tag}${source === 'the log' ? 'l' : 'h'}`
      const epoch = `s17${key}`
      await beginEpoch(database.env, epoch)
      const org = `org:s17${key}`
      const other = `org:foreign${key}`
      const person = { userId: 'u', audiences: [org] }
      const changes = Array.from({ length: 30 }, (_, index) =>
        insert(index % 3 === 0 ? other : org, note(index === 13 ? 9_000 : 700)),
      )
      const large = [
        transaction(lsn(1), insert(org)),
        transaction(lsn(2), ...changes),
        transaction(lsn(3), insert(org)),
      ]
      const visible = large.map((one) =>
        transaction(one.lsn, ...one.changes.filter((change) => change.audience === org)),
      )
      await store(database.env, epoch, large)
      const socket = await follow(person, epoch, lsn(0), { autoAck: false })
      await socket.frame('welcome')
      if (source === 'the log') await deliver(org, epoch, lsn(0), lsn(3), visible)
      else {
        // The audience joins past the transactions, so that the log has none of them.
        await runInDurableObject(syncObject(org), (_instance, state) => {
          state.storage.sql.exec('UPDATE audience SET start = ?', lsn(3))
        })
        await evict(org)
        await deliver(org, epoch, lsn(0), lsn(3), [])
      }
      await socket.until(({ received }) => received > STAGED_LIMITS.windowChars / 2)
      await pause(org)
      socket.autoAck = true
      socket.ack()
      await socket.reaches(lsn(3))
      expect(socket.ids).toEqual(insertedIds(visible))
      expect(socket.transactions.map((one) => one.lsn)).toEqual([lsn(1), lsn(2), lsn(3)])
      expect(socket.frames.some((frame) => frame.type === 'part')).toBe(true)
      expect(socket.frames.some((frame) => frame.type === 'fragment')).toBe(true)
      // The link is cut between parts: a client that comes back with the old cursor gets the transaction whole, once.
      const again = await connect(person, { epoch, cursor: lsn(1) })
      await again.reaches(lsn(3))
      expect(again.ids).toEqual(insertedIds(visible.slice(1)))
    },
  )

  it(`DIS-18 DIS-08 live deliveries during a catch-up leave no gap and no double${title}`, async () => {
    const epoch = `s18${tag}`
    await beginEpoch(database.env, epoch)
    const org = `org:s18${tag}`
    const old = Array.from({ length: 40 }, (_, index) => transaction(lsn(index + 1), insert(org, note(400))))
    await store(database.env, epoch, old)
    await replication().stage(stageOf(epoch, { routedTo: lsn(40) }))
    const socket = await follow({ userId: 'u', audiences: [org] }, epoch, lsn(0))
    await socket.frame('welcome')
    const live = Array.from({ length: 30 }, (_, index) => transaction(lsn(index + 41), insert(org)))
    await store(database.env, epoch, live)
    for (const [index, one] of live.entries()) {
      if (index === 10) await pause(org)
      await deliver(org, epoch, lsn(index + 40), lsn(index + 41), [one])
    }
    await socket.reaches(lsn(70))
    expect(socket.ids).toEqual(insertedIds([...old, ...live]))
  })

  it(`DIS-08 DIS-R2 a log that has been trimmed is made up for from history${title}`, async () => {
    const epoch = `s08${tag}`
    await beginEpoch(database.env, epoch)
    const org = `org:s08${tag}`
    const person = { userId: 'u', audiences: [org] }
    const keep = await follow(person, epoch, lsn(0))
    await keep.frame('welcome')
    const all = Array.from({ length: 60 }, (_, index) => transaction(lsn(index + 1), insert(org, note(2_500))))
    await store(database.env, epoch, all)
    for (const [index, one] of all.entries()) await deliver(org, epoch, lsn(index), lsn(index + 1), [one])
    expect((await syncObject(org).health()).logBytes).toBeLessThanOrEqual(STAGED_LIMITS.logChars)
    await pause(org)
    const late = await connect(person, { epoch, cursor: lsn(0) })
    await Promise.all([keep.reaches(lsn(60)), late.reaches(lsn(60))])
    expect(late.ids).toEqual(insertedIds(all))
    expect(keep.ids).toEqual(insertedIds(all))
  })

  it(`SNP-16 DIS-R6 what overflows the log while a client loads is read from history${title}`, async () => {
    const epoch = `s16${tag}`
    await beginEpoch(database.env, epoch)
    const org = `org:s16${tag}`
    const loading = await connect({ userId: 'u', audiences: [org] })
    expect(await loading.frame('welcome')).toMatchObject({ resume: 'hydrate' })
    const all = Array.from({ length: 40 }, (_, index) => transaction(lsn(index + 1), insert(org, note(2_500))))
    await store(database.env, epoch, all)
    for (const [index, one] of all.entries()) await deliver(org, epoch, lsn(index), lsn(index + 1), [one])
    const { logBytes } = await syncObject(org).health()
    expect(logBytes).toBeLessThanOrEqual(STAGED_LIMITS.logChars)
    expect(logBytes).toBeLessThan(JSON.stringify(all).length)
    await pause(org)
    // Nothing was sent to the client that loads, and so nothing is kept for it.
    expect(loading.frames.map(({ type }) => type)).toEqual(['welcome'])
    loading.cursor = lsn(0)
    loading.send({ type: 'stream', epoch, from: lsn(0) })
    await loading.reaches(lsn(40))
    expect(loading.ids).toEqual(insertedIds(all))
  })

  it(`HIS-04 DIS-R4 history pruned while a client was catching up sends it to hydrate${title}`, async () => {
    const epoch = `s04${tag}`
    await beginEpoch(database.env, epoch)
    const org = `org:s04${tag}`
    await replication().stage(stageOf(epoch, { routedTo: lsn(9) }))
    const other = await connect({ userId: 'v', audiences: [org] })
    await other.frame('welcome')
    await beginEpoch(database.env, `${epoch}x`)
    await database.run(
      `DELETE FROM tidemark.epoch WHERE id = '${epoch}x'; UPDATE tidemark.epoch SET ended_at = NULL, floor_lsn = '0/FFFFFE50' WHERE id = '${epoch}'`
        .split(';')
        .join('--> statement-breakpoint'),
    )
    await replication().stage(stageOf(epoch, { routedTo: lsn(9) }))
    await pause(org)
    const socket = await connect({ userId: 'u', audiences: [org] }, { epoch, cursor: lsn(2) })
    expect(await socket.frame('rehydrate')).toMatchObject({ reason: 'retention' })
  })
})

describe('a token that runs out', () => {
  it('DIS-22 DIS-R12 closes the socket with a typed reason by alarm', async () => {
    await beginEpoch(database.env, 'expiry')
    const socket = await connect({ userId: 'u', audiences: ['org:expiry'], lifetimeSeconds: 3 })
    await socket.frame('welcome')
    await evict('org:expiry')
    expect(await socket.frame('fault')).toMatchObject({ kind: 'token-expired' })
    await socket.until(({ closed }) => closed !== null)
    expect(socket.closed?.code).toBe(4402)
  })

  it('DIS-22 is renewed by a fresh one of the same user, and by no other', async () => {
    await beginEpoch(database.env, 'renewal')
    const person = { userId: 'u', audiences: ['org:renewal'] }
    const socket = await connect({ ...person, lifetimeSeconds: 3 })
    await socket.frame('welcome')
    await evict('org:renewal')
    socket.send({ type: 'token', token: await tokenOf(person) })
    const { expiresAt } = await socket.frame('renewed')
    expect(Date.parse(expiresAt ?? '') - Date.now()).toBeGreaterThan(60_000)
    // Past the first token's end the alarm finds nothing to close.
    const before = await runInDurableObject(syncObject('org:renewal'), (_instance, state) => state.storage.getAlarm())
    expect(before).not.toBeNull()
    await runDurableObjectAlarm(syncObject('org:renewal'))
    expect(socket.closed).toBeNull()
    socket.send({ type: 'token', token: await tokenOf({ ...person, userId: 'v' }) })
    expect(await socket.frame('fault')).toMatchObject({ kind: 'forbidden' })
    const other = await connect(person)
    await other.frame('welcome')
    other.send({ type: 'token', token: 'forged' })
    expect(await other.frame('fault')).toMatchObject({ kind: 'unauthenticated' })
  })
})

describe('an idle SyncDO', () => {
  it('DIS-20 DIS-R10 can be evicted at once with its sockets, which go on', async () => {
    await beginEpoch(database.env, 'idle')
    const org = 'org:idle'
    const socket = await follow({ userId: 'u', audiences: [org] }, 'idle', lsn(0))
    await socket.frame('welcome')
    socket.sendRaw('ping')
    await socket.until(({ pongs }) => pongs === 1)
    const before = Date.now()
    await evict(org)
    // A timer or an outbound socket would hold it for thirty seconds.
    expect(Date.now() - before).toBeLessThan(10_000)
    await deliver(org, 'idle', lsn(0), lsn(1), [transaction(lsn(1), insert(org))])
    await socket.reaches(lsn(1))
  })

  it('DIS-28 DIS-R10 renews its lease by alarm while it has sockets, whatever fails', async () => {
    await beginEpoch(database.env, 'lease')
    const org = 'org:lease'
    await replication().stage(stageOf('lease', { leaseMs: 600 }))
    const socket = await follow({ userId: 'u', audiences: [org] }, 'lease', lsn(0))
    await socket.frame('welcome')
    const asked = async () => (await replication().asked(org)).requests
    const first = (await asked()).length
    await replication().stage(stageOf('lease', { leaseMs: 600, routedTo: lsn(1) }, { failures: 2 }))
    await store(database.env, 'lease', [transaction(lsn(1), insert(org))])
    await evict(org)
    await socket.reaches(lsn(1))
    const requests = await asked()
    expect(requests.length).toBeGreaterThan(first + 2)
    expect(new Set(requests.map(({ version }) => version)).size).toBe(1)
    socket.close()
  })

  it('DIS-R10 leaves once it has been empty for long', async () => {
    await beginEpoch(database.env, 'leave')
    const org = 'org:leave'
    const socket = await connect({ userId: 'u', audiences: [org] })
    await socket.frame('welcome')
    socket.close()
    await socket.until(({ closed }) => closed !== null)
    const emptied = async () =>
      runInDurableObject(syncObject(org), (_instance, state) => {
        const value = JSON.parse(String(state.storage.sql.exec('SELECT value FROM state').one().value))
        return value.emptySinceMs as number | null
      })
    while ((await emptied()) === null) await Promise.resolve()
    await runInDurableObject(syncObject(org), (_instance, state) => {
      const value = JSON.parse(String(state.storage.sql.exec('SELECT value FROM state').one().value))
      state.storage.sql.exec('UPDATE state SET value = ?', JSON.stringify({ ...value, emptySinceMs: 1 }))
    })
    await evict(org)
    await runDurableObjectAlarm(syncObject(org))
    const { left, leftVersion, requests } = await replication().asked(org)
    expect(left).toBe(true)
    // A goodbye that comes late must not end a subscription that was made since.
    expect(leftVersion).toBeGreaterThan(requests.at(-1)?.version ?? 0)
    expect(await runInDurableObject(syncObject(org), (_instance, state) => state.storage.getAlarm())).toBeNull()
  })
})

describe('what a session may not see', () => {
  it('SEC-07 DIS-R1 no frame tells of it: no seq, no count, no part, no hidden name', async () => {
    await beginEpoch(database.env, 'unseen')
    const org = 'org:unseen'
    const person = { userId: 'u', audiences: [org] }
    const foreign = Array.from({ length: 50 }, () => insert('org:secret', note(900)))
    const mixed = transaction(lsn(1), ...foreign, insert(org), ...foreign)
    await store(database.env, 'unseen', [mixed, transaction(lsn(2), ...foreign)])
    await replication().stage(stageOf('unseen', { routedTo: lsn(2) }))
    // Two sessions that see different audiences share one object.
    const insider = await follow({ userId: 'i', audiences: [org, 'org:secret'] }, 'unseen', lsn(0))
    await insider.reaches(lsn(2))
    const socket = await follow(person, 'unseen', lsn(0))
    await socket.reaches(lsn(2))
    const live = transaction(lsn(3), ...foreign, insert(org))
    await deliver(org, 'unseen', lsn(2), lsn(3), [live])
    await Promise.all([socket.reaches(lsn(3)), insider.reaches(lsn(3))])
    const text = JSON.stringify(socket.frames)
    expect(text).not.toContain('secret')
    expect(text).not.toContain('seq')
    expect(socket.frames.every((frame) => frame.type !== 'part')).toBe(true)
    expect(socket.transactions.map(({ changes }) => changes.length)).toEqual([1, 1])
    expect(insider.transactions.map(({ changes }) => changes.length)).toEqual([101, 50, 51])
  })

  it('CAP-08 a row of nobody reaches nobody; a TRUNCATE reaches everyone', async () => {
    await beginEpoch(database.env, 'nobody')
    const org = 'org:nobody'
    const truncate = { op: 'truncate', table: 'public.item', audience: null } as const
    await store(database.env, 'nobody', [transaction(lsn(1), insert(org)), transaction(lsn(2), truncate)])
    await database.run(
      `UPDATE tidemark.change_history SET audience = NULL WHERE epoch = 'nobody' AND operation = 'insert'`,
    )
    await replication().stage(stageOf('nobody', { routedTo: lsn(2) }))
    const socket = await follow({ userId: 'u', audiences: [org] }, 'nobody', lsn(0))
    await socket.reaches(lsn(2))
    expect(socket.ids).toEqual(['t'])
  })
})

describe('hostile clients', () => {
  const hello = {
    type: 'hello',
    protocol: LIMITS.protocolVersion,
    client: 'c'.repeat(20),
    epoch: null,
    cursor: null,
    definitionVersion: null,
    definitionHash: null,
    audiences: [],
    unsettled: false,
  }
  const bad: [string, string | ArrayBuffer, string][] = [
    ['not JSON', '{', 'bad-input'],
    ['binary', new ArrayBuffer(8), 'bad-input'],
    ['no type', '{}', 'bad-input'],
    ['unknown type', '{"type":"push"}', 'bad-input'],
    ['a captive portal', '<html><body>Log in</body></html>', 'bad-input'],
    ['deep', '['.repeat(30_000) + ']'.repeat(30_000), 'bad-input'],
    ['huge', JSON.stringify({ ...hello, audiences: ['x'.repeat(300_000)] }), 'limit-exceeded'],
    ['one field more', JSON.stringify({ ...hello, admin: true }), 'bad-input'],
    ['__proto__', '{"type":"hello","__proto__":{"protocol":1}}', 'bad-input'],
    ['SQL as client', JSON.stringify({ ...hello, client: "x'; DROP TABLE client; --" }), 'bad-input'],
    ['too many audiences', JSON.stringify({ ...hello, audiences: Array.from({ length: 201 }, String) }), 'bad-input'],
    ['an odd LSN', JSON.stringify({ ...hello, cursor: '0/1' }), 'bad-input'],
    ['stream before hello', JSON.stringify({ type: 'stream', epoch: 'x', from: lsn(0) }), 'bad-input'],
    ['ack before hello', JSON.stringify({ type: 'ack', received: 0, cursor: null }), 'bad-input'],
  ]
  it('SEC-11 SEC-05 FLT-10 DIS-R13 every frame without a meaning ends the socket with a typed reason', async () => {
    await beginEpoch(database.env, 'hostile')
    for (const [index, [title, data, kind]] of bad.entries()) {
      const socket = await openSocket({ userId: `u${index}`, audiences: ['org:hostile'] })
      socket.autoAck = false
      socket.sendRaw(data)
      expect(await socket.frame('fault'), title).toMatchObject({ kind })
      await socket.until(({ closed }) => closed !== null)
      expect(JSON.stringify(socket.frames)).not.toMatch(/DROP|org:|zod|expected/)
    }
  })

  it('SEC-11 a second hello, or an acknowledgement of what was never sent, is bad input', async () => {
    await beginEpoch(database.env, 'hostile2')
    const again = await connect({ userId: 'u', audiences: ['org:hostile'] })
    await again.frame('welcome')
    again.sendRaw(JSON.stringify(hello))
    expect(await again.frame('fault')).toMatchObject({ kind: 'bad-input' })
    const liar = await connect({ userId: 'u', audiences: ['org:hostile'] })
    await liar.frame('welcome')
    liar.send({ type: 'ack', received: 1e9, cursor: null })
    expect(await liar.frame('fault')).toMatchObject({ kind: 'bad-input' })
  })

  it('SEC-12 DIS-R13 floods of messages and of connections are bounded, also after eviction', async () => {
    await beginEpoch(database.env, 'flood')
    const person = { userId: 'flooder', audiences: ['org:flood'] }
    const socket = await connect(person)
    await socket.frame('welcome')
    socket.autoAck = false
    for (let index = 0; index <= STAGED_LIMITS.messages.burst; index += 1) socket.ack()
    expect(await socket.frame('fault')).toMatchObject({ kind: 'rate-limited' })
    const status = async () => {
      const answer = await ask('/sync/socket', { headers: upgradeHeaders(await tokenOf(person)) })
      answer.webSocket?.accept()
      answer.webSocket?.close()
      await answer.text()
      return answer.status
    }
    const answers: number[] = []
    for (let index = 0; index < STAGED_LIMITS.connects.burst; index += 1) answers.push(await status())
    await evict('org:flood')
    answers.push(await status())
    expect(answers.at(0)).toBe(101)
    expect(answers.at(-1)).toBe(429)
    const other = await connect({ userId: 'calm', audiences: ['org:flood'] })
    await other.frame('welcome')
  })
})
