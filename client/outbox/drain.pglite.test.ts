import { describe, expect, test } from 'vitest'
import { LIMITS, type PushedMutation } from '../../protocol/index.ts'
import { at, batch, commitAll, type ReceivedPush } from '../../testing/replica/scripted-server.ts'
import { closeAfterEach } from '../../testing/replica/serve.ts'
import { statusThat } from '../../testing/replica/start-replica.ts'
import { commit, notesOf, openedFolders } from '../../testing/writing/opened-folders.ts'
import type { Replica } from '../replica-api.ts'

closeAfterEach()

const titles = async (replica: Replica) => (await notesOf(replica)).map(({ title }) => title)

const sizeOf = ({ mutations }: ReceivedPush) => mutations.length

describe('drain', () => {
  test('OUT-20 OBX-R4 OBX-R9 a write is pending, sent, and confirmed by the stream alone', async () => {
    const { server, replica, session } = await openedFolders()
    const statuses: (string | undefined)[] = []
    const answered = Promise.withResolvers<void>()
    server.answerPush = async (push) => {
      await answered.promise
      return commitAll(push)
    }
    const { id, confirmed } = await replica.transaction(async (tx) => {
      await tx.query(`UPDATE note SET title = 'b' WHERE id = '1'`)
      const { rows } = await tx.query<{ status: string }>('SELECT status FROM tidemark.mutation_status')
      statuses.push(...rows.map(({ status }) => status))
    })
    const look = async () => statuses.push((await replica.mutation(id ?? ''))?.status)
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
    await statusThat(replica, ({ pending }) => pending === 0)
    expect(replica.status.failed).toBe(0)
    await replica.transaction((tx) => tx.query(`UPDATE note SET title = 'c' WHERE id = '1'`))
    expect(await server.push(1)).toMatchObject({ acknowledged: 1 })
  })

  test('OBX-R10 what an unsettled mutation builds on is not acknowledged, though it is settled', async () => {
    const { server, replica, session } = await openedFolders()
    const write = (sql: string) => replica.transaction((tx) => tx.query(sql))
    const first = await write(`UPDATE note SET title = 'b' WHERE id = '1'`)
    const pushes = [await server.push(0)]
    const second = await write(`UPDATE note SET title = 'c' WHERE id = '1'`)
    pushes.push(await server.push(1))
    expect(pushes[1]).toMatchObject({ mutations: [{ rows: [{ b: { title: { m: 1 } } }] }] })
    commit(server, session, ...(pushes[0]?.mutations ?? []))
    await first.confirmed
    await write(`UPDATE note SET title = 'd' WHERE id = '2'`)
    pushes.push(await server.push(2))
    commit(server, session, ...(pushes[1]?.mutations ?? []))
    await second.confirmed
    await write(`UPDATE note SET slug = 'e' WHERE id = '2'`)
    pushes.push(await server.push(3))
    expect(pushes.map(({ acknowledged }) => acknowledged)).toEqual([0, 0, 0, 2])
  })

  test('OBX-R15 of what was confirmed the last 2,000 are kept', async () => {
    const { server, replica } = await openedFolders()
    await replica.db.exec(`
      INSERT INTO tidemark.mutation (counter, kind, at, status) SELECT n, 'action', '2026-01-01T00:00:00.000Z', 'confirmed' FROM generate_series(1, 2500) n;
      UPDATE tidemark.mutation SET squashed_into = 499 WHERE counter = 2300;
      UPDATE tidemark.mutation SET status = 'failed' WHERE counter = 7;
      UPDATE tidemark.owner SET counter = 2500`)
    await replica.transaction((tx) => tx.query(`UPDATE note SET title = 'b' WHERE id = '1'`))
    expect(await server.push(0)).toMatchObject({ acknowledged: 2500, mutations: [{ counter: 2501 }] })
    const { rows } = await replica.db.query<{ counters: number[] }>(
      'SELECT array_agg(counter::int ORDER BY counter) AS counters FROM tidemark.mutation WHERE counter < 502 OR counter = 2300',
    )
    expect(rows[0]?.counters).toEqual([7, 501])
  })

  test('OUT-05 OBX-R9 where the stream overtakes the answer the mutation is confirmed once', async () => {
    const { server, replica, session } = await openedFolders()
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
    const { server, replica } = await openedFolders()
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
    const { server, replica } = await openedFolders()
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
  })

  test('OUT-09 OBX-R6 after a reconnect nothing is pushed before the replica has caught up', async () => {
    const { server, replica } = await openedFolders()
    replica.goOffline()
    const { confirmed } = await replica.actions.addOne({ id: '1' })
    const before = server.head
    server.head = at(0x200)
    replica.goOnline()
    const session = await server.session(1)
    await statusThat(replica, ({ phase }) => phase === 'catching-up')
    expect(server.pushes).toEqual([])
    const theirs = { o: 'u', t: 'public.note', a: 'org:a', k: { id: '1' }, d: { count: '41' } } as const
    session.send(batch(before, server.head, [{ lsn: server.head, xid: '9', changes: [theirs] }]))
    const push = await server.push(0)
    // The action was run again on the pulled rows before it was sent.
    expect(push.mutations).toMatchObject([{ name: 'addOne', predicted: [{ d: { count: '42' } }] }])
    commit(server, session, ...push.mutations)
    await confirmed
    expect(await notesOf(replica)).toMatchObject([{ count: '42' }, { count: '0' }])
  })

  test('OUT-22 typing goes in few pushes, and what is shown never goes back, however answers and commits come', async () => {
    const { server, replica, session } = await openedFolders()
    const shown: string[] = []
    const watching = await replica.db.live.query<{ title: string }>(
      `SELECT title FROM note WHERE id = '1'`,
      [],
      ({ rows }) => shown.push(rows[0]?.title ?? ''),
    )
    const words = Array.from({ length: 40 }, (_, index) => 'a'.repeat(index + 1))
    const late: (() => void)[] = []
    server.answerPush = async (push) => {
      // The commit comes first, its answer with the next push or at the end.
      commit(server, session, ...push.mutations)
      if (late.length < 2) await new Promise<void>((resolve) => late.push(resolve))
      return commitAll(push)
    }
    for (const word of words) {
      await replica.db.query(`UPDATE note SET title = $1 WHERE id = '1'`, [word])
      if (word.length % 10 === 0) for (const answer of late) answer()
      // This is only the pace of the typing, which is under test; nothing is awaited by it.
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    for (const answer of late) answer()
    await statusThat(replica, ({ pending }) => pending === 0)
    expect(await titles(replica)).toEqual([words.at(-1), 'first'])
    const lengths = shown.filter((title) => title !== 'first').map((title) => title.length)
    expect(lengths).toEqual(lengths.toSorted((a, b) => a - b))
    expect(server.pushes.length).toBeLessThan(words.length / 2)
    await watching.unsubscribe()
  })

  test('OUT-08 OUT-19 OBX-R7 OBX-R11 5,000 mutations go in order, in bounded pushes, one at a time', async () => {
    const { server, replica } = await openedFolders()
    replica.goOffline()
    const many = 5_000
    const inserts = Array.from(
      { length: many },
      (_, index) => `BEGIN; INSERT INTO note (id, org, title) VALUES ('n${index}', 'a', 'title ${index}'); COMMIT;`,
    )
    // Each insert is in a transaction of its own.
    await replica.db.exec(inserts.join('\n'))
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
