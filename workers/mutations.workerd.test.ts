import { evictDurableObject, runInDurableObject } from 'cloudflare:test'
import { env, exports } from 'cloudflare:workers'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { decodeMarked, LIMITS, type Lsn, type PredictedChange } from '../protocol/index.ts'
import { type RecordedMutation, recordMutation } from '../testing/capture/record-mutation.ts'
import { servers } from '../testing/postgres/servers.ts'
import { useTestDatabase } from '../testing/postgres/use-test-database.ts'
import { ORG_A, SNAPSHOT_SCHEMA, snapshotSync } from '../testing/snapshot/snapshot-app.ts'
import { newClient, tokenOf, upgradeHeaders } from '../testing/workerd/distribution.ts'
import { TestSocket } from '../testing/workerd/test-socket.ts'
import { useDatabase } from '../testing/workerd/worker.ts'
import type { ReplicationRpc } from './contracts.ts'

const { REPLICATION, SYNC } = env as unknown as Record<'REPLICATION' | 'SYNC', DurableObjectNamespace>
const worker = (exports as unknown as { default: { fetch(request: Request): Promise<Response> } }).default
const AUDIENCE = `org:${ORG_A}`
/** A trigger whose effect no client can foresee; it also fills a column that never leaves the server. */
const TRIGGER = `
  --> statement-breakpoint
  CREATE FUNCTION public.stamp() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN NEW.title := upper(NEW.title); NEW.secret := 'hidden value'; RETURN NEW; END $$;
  --> statement-breakpoint
  CREATE TRIGGER stamp BEFORE INSERT ON public.item FOR EACH ROW EXECUTE FUNCTION public.stamp()`

const database = useTestDatabase(servers().embedded)
beforeAll(async () => {
  useDatabase(database.env)
  await database.install(SNAPSHOT_SCHEMA + TRIGGER, snapshotSync)
})
afterAll(async () => {
  await runInDurableObject(REPLICATION.getByName('main'), (_instance, state) => state.storage.deleteAlarm())
})

const ask = (path: string, headers: Record<string, string>) =>
  worker.fetch(new Request(`https://tidemark.test${path}`, { headers }))

async function open(userId: string) {
  const token = await tokenOf({ userId, audiences: [AUDIENCE] })
  const { webSocket } = await ask('/sync/socket', upgradeHeaders(token))
  if (!webSocket) throw new Error('No socket.')
  const socket = new TestSocket(webSocket)
  const client = newClient()
  const nothing = { epoch: null, cursor: null, definitionVersion: null, definitionHash: null }
  socket.send({
    type: 'hello',
    protocol: LIMITS.protocolVersion,
    client,
    ...nothing,
    audiences: [],
    unsettled: false,
  })
  const { epoch, head } = await socket.frame('welcome')
  socket.cursor = head
  socket.send({ type: 'stream', epoch, from: head })
  const askHead = () => ask('/sync/head', { authorization: `Bearer ${token}` })
  const settle = async () => {
    const { lsn } = await (await askHead()).json<{ lsn: Lsn }>()
    await socket.reaches(lsn)
  }
  return { socket, client, askHead, settle }
}

/** Writes as a push does: the mutation first, its writes after it, in one transaction. */
const push = (mutation: RecordedMutation, ...writes: string[]) =>
  database.run(['BEGIN', recordMutation(mutation), ...writes, 'COMMIT'].join('--> statement-breakpoint'))

const predictItem = (id: number, title: string): PredictedChange => {
  const d = { id: String(id), org_id: ORG_A, title }
  return { o: 'i', t: 'public.item', a: AUDIENCE, k: { id: String(id) }, d }
}
const insertItem = (id: number, title: string) =>
  `INSERT INTO item (id, org_id, title) VALUES (${id}, '${ORG_A}', '${title}')`

describe.each([
  ['', async () => {}],
  [' after eviction', () => evictDurableObject(SYNC.getByName(AUDIENCE))],
] as const)('over real capture%s', (title, pause) => {
  const first = title === '' ? 10 : 20

  it(`CAP-21 DIS-12 SEC-06 MRK-R2 what the server altered returns to its author, and nothing hidden to anyone${title}`, async () => {
    const author = await open('u')
    const other = await open('v')
    await pause()
    const predicted = [predictItem(first, 'mine'), predictItem(first + 1, 'SAME')]
    const mutation = { client: author.client, counter: 1, predicted }
    await push(mutation, insertItem(first, 'mine'), insertItem(first + 1, 'SAME'))
    await Promise.all([author.settle(), other.settle()])
    const [own] = author.socket.transactions
    expect(own?.changes).toEqual([
      { o: 'm', c: 1 },
      { o: 'p', p: 0, d: { title: 'MINE' } },
      { o: 'p', p: 1 },
    ])
    expect(other.socket.ids).toEqual([String(first), String(first + 1)])
    const rows = other.socket.transactions.map((one) => decodeMarked(one.changes, null))
    expect([decodeMarked(own?.changes ?? [], predicted)]).toEqual(rows)
    expect(JSON.stringify([author.socket.frames, other.socket.frames])).not.toMatch(/hidden|secret|client:/)
    // The same row by another hand.
    await database.run(`UPDATE item SET title = 'psql' WHERE id = ${first}`)
    await author.settle()
    expect(author.socket.transactions.at(-1)?.changes).toMatchObject([{ o: 'u', d: { title: 'psql' } }])
    author.socket.close()
    other.socket.close()
  })

  it(`OUT-23 DIS-R17 what was pushed while capture was down is confirmed once it is back${title}`, async () => {
    const author = await open('u')
    await author.settle()
    await pause()
    await database.run('ALTER TABLE tidemark.change_history RENAME TO away')
    await push({ client: author.client, counter: 1 }, insertItem(first + 5, 'down'))
    await push({ client: author.client, counter: 2, rejection: { kind: 'refused', message: 'no' } })
    expect((await author.askHead()).ok).toBe(false)
    expect(author.socket.transactions).toEqual([])
    await database.run('ALTER TABLE tidemark.away RENAME TO change_history')
    await author.settle()
    expect(author.socket.transactions.map(({ changes }) => changes)).toMatchObject([
      [
        { o: 'm', c: 1 },
        { o: 'i', d: { title: 'DOWN' } },
      ],
      [{ o: 'm', c: 2, r: { kind: 'refused' } }],
    ])
    author.socket.close()
  })
})

it('FLD-103 CAP-R48 the ReplicationDO owes calls from the commit of a mutation until they are settled, also where its instance is gone', async () => {
  const replication = REPLICATION.getByName('main') as unknown as ReplicationRpc
  const author = await open('u')
  const mark = (await replication.owedCalls()) ?? 0
  await replication.settleCalls(mark, null)
  expect(await replication.owedCalls()).toBeNull()
  await database.run(insertItem(900, 'by another hand'))
  await author.settle()
  expect(await replication.owedCalls()).toBeNull()
  await push({ client: author.client, counter: 1 }, insertItem(901, 'mine'))
  await author.settle()
  // The object always has some request in progress, for which a polite eviction would wait.
  await runInDurableObject(REPLICATION.getByName('main'), (_instance, state) => state.abort('gone')).catch(() => {})
  const anew = REPLICATION.getByName('main') as unknown as ReplicationRpc
  expect(await anew.owedCalls()).toBe(mark + 1)
  await anew.settleCalls(mark + 1, Date.now() + 3_600_000)
  expect(await anew.owedCalls()).toBeNull()
  await anew.kick()
  expect(await anew.owedCalls()).toBe(mark + 2)
  author.socket.close()
})
