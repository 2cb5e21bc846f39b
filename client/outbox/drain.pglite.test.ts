import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { action } from '../../db/action.ts'
import { defineSync } from '../../db/define-sync.ts'
import { LIMITS, type PushedMutation } from '../../protocol/index.ts'
import { FOLDERS } from '../../testing/replica/definitions.ts'
import {
  at,
  batch,
  commitAll,
  committedAs,
  type ReceivedPush,
  type ScriptedServer,
  type ScriptedSession,
  type SnapshotScript,
} from '../../testing/replica/scripted-server.ts'
import { closeAfterEach, serve, start } from '../../testing/replica/serve.ts'
import { statusThat } from '../../testing/replica/start-replica.ts'
import type { Replica } from '../open-replica.ts'

closeAfterEach()

const sync = defineSync({
  tables: {},
  actions: {
    addOne: action(z.object({ id: z.string() }), async ({ sql }, { id }) => {
      await sql`UPDATE note SET count = count + 1 WHERE id = ${id}`
    }),
  },
})

const note = (id: string, more = {}) => ({
  id,
  org: 'a',
  folder: null,
  title: 'first',
  slug: null,
  count: '0',
  seq: null,
  ...more,
})
const SNAPSHOT: SnapshotScript = {
  start: at(0x100),
  fence: at(0x100),
  snapshot: '10:10:',
  rows: { 'public.note': [note('1'), note('2')] },
}

/** A replica with two notes, live, and the server's side of it. */
async function opened() {
  const { server, url } = await serve(FOLDERS, { 'org:a': SNAPSHOT })
  const replica = await start(url, { sync })
  await replica.ready
  await statusThat(replica, ({ phase }) => phase === 'live')
  return { server, url, replica: replica as Replica<typeof sync>, session: await server.session(0) }
}

/** Sends commits of these mutations, one after another, from the last head on. */
function commit(server: ScriptedServer, session: ScriptedSession, ...mutations: PushedMutation[]): void {
  for (const mutation of mutations) {
    const before = server.head
    server.head = at(Number.parseInt(before, 16) + 0x10)
    session.send(batch(before, server.head, [committedAs(server.head, mutation)]))
  }
}

const titles = async (replica: Replica) =>
  (await replica.db.query<{ title: string }>('SELECT title FROM note ORDER BY id')).rows.map(({ title }) => title)

const sizeOf = ({ mutations }: ReceivedPush) => mutations.length

describe('drain', () => {
  test('OUT-20 OBX-R4 OBX-R9 a write is pending, sent, and confirmed by the stream alone', async () => {
    const { server, replica, session } = await opened()
    const statuses: (string | undefined)[] = []
    const answered = Promise.withResolvers<void>()
    server.answerPush = async (push) => {
      await answered.promise
      return commitAll(push)
    }
    const { id, confirmed } = await replica.transaction((tx) => tx.query(`UPDATE note SET title = 'b' WHERE id = '1'`))
    const look = async () => statuses.push((await replica.mutation(id ?? ''))?.status)
    await look()
    const push = await server.push(0)
    await look()
    expect(push).toMatchObject({
      protocol: LIMITS.protocolVersion,
      acknowledged: 0,
      mutations: [
        { counter: 1, kind: 'patch', after: [], rows: [{ o: 'u', d: { title: 'b' }, b: { title: { v: 'first' } } }] },
      ],
    })
    answered.resolve()
    await statusThat(replica, ({ pushError, pending }) => pushError === null && pending === 1)
    commit(server, session, ...push.mutations)
    await confirmed
    await look()
    expect(statuses).toEqual(['pending', 'sent', 'confirmed'])
    expect(await titles(replica)).toEqual(['b', 'first'])
    expect(replica.status).toMatchObject({ pending: 0, failed: 0 })
    await replica.transaction((tx) => tx.query(`UPDATE note SET title = 'c' WHERE id = '1'`))
    expect(await server.push(1)).toMatchObject({ acknowledged: 1 })
  })

  test('OUT-05 OBX-R9 where the stream overtakes the answer the mutation is confirmed once', async () => {
    const { server, replica, session } = await opened()
    const answered = Promise.withResolvers<void>()
    server.answerPush = async (push) => {
      await answered.promise
      return commitAll(push)
    }
    const { confirmed, id } = await replica.actions.addOne({ id: '1' })
    commit(server, session, ...(await server.push(0)).mutations)
    await confirmed
    answered.resolve()
    const next = await replica.actions.addOne({ id: '1' })
    const push = await server.push(1)
    expect(push).toMatchObject({ acknowledged: 1, mutations: [{ counter: 2 }] })
    commit(server, session, ...push.mutations)
    await next.confirmed
    expect(await replica.mutation(id)).toMatchObject({ status: 'confirmed', lsn: at(0x110) })
    expect((await replica.db.query('SELECT count FROM note ORDER BY id')).rows).toEqual([{ count: 2 }, { count: 0 }])
  })

  test('OUT-02 OUT-18 OBX-R4 OBX-R8 a push without an answer, refused for now or answered in part is sent again to the byte', async () => {
    const { server, replica } = await opened()
    replica.goOffline()
    for (const id of ['1', '2']) await replica.actions.addOne({ id })
    const answers = [null, 429, 503, 500] as const
    let calls = 0
    server.answerPush = (push) => {
      const answer = answers[calls++]
      if (answer !== undefined) return answer
      if (calls > 6) return commitAll(push)
      const { outcomes } = commitAll(push)
      return { outcomes: outcomes.slice(0, calls === 5 ? 0 : 1), retry: { message: 'A deadlock.', afterMs: 1 } }
    }
    replica.goOnline()
    await server.push(6)
    await statusThat(replica, ({ pushError }) => pushError === null)
    const bodies = server.pushes.map((text) => text.slice(text.indexOf('"mutations"')))
    expect(new Set(bodies.slice(0, 6)).size).toBe(1)
    expect(JSON.parse(server.pushes[6] ?? '').mutations.map(({ counter }: PushedMutation) => counter)).toEqual([2])
    expect(replica.status).toMatchObject({ pending: 2, failed: 0 })
  })

  test('OUT-06 OUT-07 OBX-R9 a rejection mid-batch takes dependents with it, and others land', async () => {
    const { server, replica, session } = await opened()
    replica.goOffline()
    const parent = await replica.transaction((tx) => tx.query(`INSERT INTO folder VALUES ('f', 'a', 'new')`))
    const other = await replica.transaction((tx) => tx.query(`UPDATE note SET title = 'b' WHERE id = '1'`))
    const child = await replica.transaction((tx) =>
      tx.query(`INSERT INTO note (id, org, folder) VALUES ('3', 'a', 'f')`),
    )
    const same = await replica.transaction((tx) => tx.query(`UPDATE folder SET name = 'newer' WHERE id = 'f'`))
    const ids = [parent, other, child, same].map(({ id }) => id)
    server.answerPush = (push) => ({
      ...commitAll(push),
      outcomes: push.mutations.map(({ counter, after }) => {
        if (counter === 1)
          return { counter, status: 'rejected', rejection: { kind: 'refused', message: 'No.', code: 'full' } }
        if (after.includes(1))
          return { counter, status: 'rejected', rejection: { kind: 'dependency', message: 'It falls too.', on: 1 } }
        return { counter, status: 'committed' }
      }),
    })
    replica.goOnline()
    await expect(parent.confirmed).rejects.toMatchObject({ id: ids[0], rejection: { kind: 'refused', code: 'full' } })
    await expect(child.confirmed).rejects.toMatchObject({ rejection: { kind: 'dependency' } })
    await expect(same.confirmed).rejects.toMatchObject({ rejection: { kind: 'dependency' } })
    const push = await server.push(0)
    expect(push.mutations.map(({ counter, after }) => [counter, after])).toEqual([
      [1, []],
      [2, []],
      [3, [1]],
      [4, [1]],
    ])
    commit(server, await server.session(1), ...push.mutations.filter(({ counter }) => counter === 2))
    await other.confirmed
    expect(await titles(replica)).toEqual(['b', 'first'])
    expect((await replica.db.query('SELECT id FROM folder')).rows).toEqual([])
    await statusThat(replica, ({ failed, pending }) => failed === 3 && pending === 0)
    expect(replica.failures.map(({ id }) => id)).toEqual([ids[0], ids[2], ids[3]])
    expect(session.isClosed).toBe(true)
  })

  test('OUT-08 OUT-19 OBX-R7 OBX-R11 5,000 mutations go in order, in bounded pushes, one at a time', async () => {
    const { server, replica } = await opened()
    replica.goOffline()
    const many = 5_000
    for (let first = 0; first < many; first += 500) {
      const inserts = Array.from({ length: 500 }, (_, index) => {
        const id = `n${first + index}`
        return `INSERT INTO note (id, org, title) VALUES ('${id}', 'a', 'title of ${id}');`
      })
      // Each in a transaction of its own.
      for (const insert of inserts) await replica.db.query(insert)
    }
    let open = 0
    const sizes: number[] = []
    const counters: number[] = []
    server.answerPush = async (push) => {
      open += 1
      expect(open).toBe(1)
      sizes.push(sizeOf(push))
      counters.push(...push.mutations.map(({ counter }) => counter))
      await new Promise((resolve) => setImmediate(resolve))
      open -= 1
      return commitAll(push)
    }
    const startedMs = performance.now()
    replica.goOnline()
    while (counters.length < many) await server.push(sizes.length)
    console.info(`5,000 mutations sent in ${Math.round(performance.now() - startedMs)} ms`)
    expect(counters).toEqual(Array.from({ length: many }, (_, index) => index + 1))
    expect(sizes).toEqual(Array.from({ length: 50 }, () => LIMITS.pushMutations))
  })
})
