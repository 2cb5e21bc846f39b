import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import type { Replica } from '../client/index.ts'
import { openReplicaOn } from '../client/open-replica.ts'
import { openPreparedDatabase } from '../testing/replica/prepared-database.ts'
import { type System, startSystem } from '../testing/system/start-system.ts'
import { until } from '../testing/system/until.ts'
import { sync } from '../testing/writing/sync.ts'
import type { Database } from '../workers/database/index.ts'

const app = {
  sync,
  syncModule: new URL('../testing/writing/sync.ts', import.meta.url),
  actionsModule: new URL('../testing/writing/server-actions.ts', import.meta.url),
  migrations: new URL('../testing/writing/migrations/', import.meta.url),
}

type Writer = Replica<typeof sync>

const COLUMNS = 'id, title, state, body, count::text'
const NOTES = `SELECT ${COLUMNS} FROM note ORDER BY id`

describe('writing, through workerd and Postgres', () => {
  let system: System
  let database: Database

  beforeAll(async () => {
    system = await startSystem({ app })
    database = await system.openDatabase()
  })
  afterAll(async () => {
    await database?.close()
    await system?.dispose()
  })

  async function open(user: string, boards: string, storage = 'memory://'): Promise<Writer> {
    const audiences = boards.split(' ').map((board) => `board:${board}`)
    const token = () => system.token({ userId: user, audiences })
    const replica = await openReplicaOn({ url: system.url, user, token, sync, storage }, openPreparedDatabase)
    onTestFinished(() => replica.close())
    await replica.ready
    return replica
  }

  const rowsIn = async (replica: Writer) => (await replica.db.query(NOTES)).rows
  const rowsOf = async (board: string) =>
    database.query(`SELECT ${COLUMNS} FROM public.note WHERE board = $1 ORDER BY id`, [board])

  /** Expects that every replica and Postgres hold the same rows. */
  async function expectEqual(board: string, ...replicas: Writer[]): Promise<void> {
    // All settle twice, because the writes of one are news to the others.
    for (const replica of [...replicas, ...replicas]) await replica.settled()
    const truth = await rowsOf(board)
    for (const replica of replicas) expect(await rowsIn(replica)).toEqual(truth)
  }

  const insertNote = (id: string, board: string) =>
    database.query(`INSERT INTO public.note (id, board, title) VALUES ($1, $2, 'first')`, [id, board])

  const titleOf = async (replica: Writer, id: string) =>
    (await replica.db.query<{ title: string }>('SELECT title FROM note WHERE id = $1', [id])).rows[0]?.title

  it('OUT-20 a local write shows at once, is confirmed, and reaches Postgres and the other replica', async () => {
    await insertNote('w1', 'w')
    const [ann, bob] = [await open('ann', 'w'), await open('bob', 'w')]
    await ann.settled()
    const { id, confirmed } = await ann.transaction(async (tx) => {
      await tx.query(`UPDATE note SET title = 'hers' WHERE id = 'w1'`)
      await tx.query(`INSERT INTO note (id, board, title) VALUES ('w2', 'w', 'new')`)
    })
    expect(await titleOf(ann, 'w1')).toBe('hers')
    await confirmed
    expect(await ann.mutation(id ?? '')).toMatchObject({ status: 'confirmed', rejection: null })
    await ann.db.query(`UPDATE note SET title = 'plain SQL' WHERE id = 'w2'`)
    await until(async () => (await titleOf(bob, 'w2')) === 'plain SQL')
    await expectEqual('w', ann, bob)
    expect(ann.status).toMatchObject({ pending: 0, failed: 0, pushError: null })
  })

  it('CON-01 CON-02 offline edits of different fields merge, of one field the later is a conflict with the server’s row', async () => {
    await insertNote('c1', 'c')
    const [ann, bob] = [await open('ann', 'c'), await open('bob', 'c')]
    await Promise.all([ann.settled(), bob.settled()])
    for (const replica of [ann, bob]) replica.goOffline()
    await ann.db.query(`UPDATE note SET title = 'of Ann' WHERE id = 'c1'`)
    await ann.db.query(`UPDATE note SET body = 'of Ann' WHERE id = 'c1'`)
    await bob.db.query(`UPDATE note SET count = 5 WHERE id = 'c1'`)
    const his = await bob.transaction((tx) => tx.query(`UPDATE note SET title = 'of Bob' WHERE id = 'c1'`))
    ann.goOnline()
    await ann.settled()
    bob.goOnline()
    await bob.settled()
    // Changes that came before the push lie under both of Bob's edits, so they go one by one, and the first lands.
    await expect(his.confirmed).rejects.toMatchObject({ rejection: { kind: 'conflict', columns: ['title'] } })
    const [failure] = bob.failures
    expect(failure?.rows).toMatchObject([
      { local: { title: 'of Bob' }, server: { title: 'of Ann', body: 'of Ann', count: '5' } },
    ])
    await expectEqual('c', ann, bob)
    await failure?.retry()
    await expectEqual('c', ann, bob)
    expect(await rowsOf('c')).toMatchObject([{ title: 'of Bob', body: 'of Ann', count: '5' }])
    expect(bob.failures).toEqual([])
  })

  it('REB-21 an action that its server half refuses is undone, with code and data', async () => {
    await insertNote('r1', 'r')
    const ann = await open('ann', 'r')
    await ann.settled()
    ann.goOffline()
    const { confirmed } = await ann.actions.close({ id: 'r1' })
    expect(await rowsIn(ann)).toMatchObject([{ state: 'closed' }])
    const other = await ann.actions.addOne({ id: 'r1' })
    ann.goOnline()
    await expect(confirmed).rejects.toMatchObject({ rejection: { kind: 'refused', code: 'not-yours' } })
    await other.confirmed
    expect(await rowsIn(ann)).toMatchObject([{ state: 'open', count: '1' }])
    await expectEqual('r', ann)
  })

  it('CON-11 REB-16 replicas that append and count offline all have their work in the end, equal and quiet', async () => {
    await insertNote('n1', 'n')
    const users = ['ann', 'bob', 'cem', 'dia']
    const replicas: Writer[] = []
    for (const user of users) replicas.push(await open(user, 'n'))
    for (const replica of replicas) await replica.settled()
    for (const replica of replicas) replica.goOffline()
    for (const [index, replica] of replicas.entries()) {
      await replica.actions.append({ id: 'n1', text: `[${users[index]}]` })
      await replica.actions.addOne({ id: 'n1' })
    }
    // The oldest work is sent last.
    for (const replica of replicas.toReversed()) {
      replica.goOnline()
      await replica.settled()
    }
    await expectEqual('n', ...replicas)
    const [row] = await rowsOf('n')
    expect(row).toMatchObject({ count: '4', body: '[dia][cem][bob][ann]' })
    for (const replica of replicas) expect(replica.status).toMatchObject({ pending: 0, failed: 0 })
    const heads = replicas.map(({ status }) => status.lastChangeAt)
    await Promise.all(replicas.map((replica) => replica.settled()))
    expect(replicas.map(({ status }) => status.lastChangeAt)).toEqual(heads)
  })

  it('REB-14 an action that reads what others do not see has the server’s result everywhere', async () => {
    await insertNote('h1', 'h')
    const comment = (id: string, board: string) =>
      database.query(`INSERT INTO public.comment (id, board, note_id, body) VALUES ($1, $2, 'h1', '')`, [id, board])
    await comment('seen', 'h')
    await comment('hidden', 'h-private')
    const [ann, bob] = [await open('ann', 'h h-private'), await open('bob', 'h')]
    for (const replica of [ann, bob]) {
      await replica.settled()
      replica.goOffline()
    }
    const hers = await ann.actions.countComments({ id: 'h1' })
    const his = await bob.actions.append({ id: 'h1', text: 'his' })
    expect([await rowsIn(ann), await rowsIn(bob)]).toMatchObject([[{ count: '2' }], [{ count: '0', body: 'his' }]])
    // Neither replica knows of this comment when the action runs on the server.
    await comment('hidden, and new', 'h-private')
    for (const replica of [ann, bob]) replica.goOnline()
    await Promise.all([hers.confirmed, his.confirmed])
    await expectEqual('h', ann, bob)
    expect(await rowsIn(bob)).toMatchObject([{ count: '3', body: 'his' }])
    // Bob's action counts only the comments that Bob sees.
    await (await bob.actions.countComments({ id: 'h1' })).confirmed
    await expectEqual('h', ann, bob)
    expect(await rowsIn(ann)).toMatchObject([{ count: '1' }])
  })

  it('OUT-02 OUT-04 the answer is lost with its link: sent again, applied once', async () => {
    await insertNote('l1', 'l')
    const ann = await open('ann', 'l')
    await ann.settled()
    const lost = system.gate.loseAnswer('POST /sync/push')
    const { confirmed } = await ann.actions.addOne({ id: 'l1' })
    await lost
    await confirmed
    await expectEqual('l', ann)
    expect(await rowsOf('l')).toMatchObject([{ count: '1' }])
  })

  it('OUT-04 workerd and Postgres are killed between: nothing is lost or doubled', async () => {
    await insertNote('k1', 'k')
    const ann = await open('ann', 'k')
    await ann.settled()
    const done: Promise<void>[] = []
    const count = async (times: number) => {
      for (let time = 0; time < times; time++) done.push((await ann.actions.addOne({ id: 'k1' })).confirmed)
    }
    await count(10)
    const first = done[0]
    await first
    await count(10)
    await system.killWorkerd()
    await count(10)
    await done.at(-1)
    await count(10)
    await system.killPostgres()
    await count(10)
    await system.restartPostgres()
    await Promise.all(done)
    await database.close()
    database = await system.openDatabase()
    await expectEqual('k', ann)
    expect(await rowsOf('k')).toMatchObject([{ count: '50' }])
  })

  it('OUT-04 OUT-20 a replica that is closed with writes pending and sent goes on where it was, by id', async () => {
    await insertNote('p1', 'p')
    const folder = mkdtempSync(join(tmpdir(), 'tidemark-'))
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
    const storage = join(folder, 'replica')
    const first = await open('ann', 'p', storage)
    await first.settled()
    const sent = system.gate.loseAnswer('POST /sync/push')
    const { id } = await first.actions.addOne({ id: 'p1' })
    await sent
    first.goOffline()
    const { id: later } = await first.actions.append({ id: 'p1', text: 'later' })
    await first.close()
    const second = await open('ann', 'p', storage)
    await second.settled()
    expect(await second.mutation(id)).toMatchObject({ status: 'confirmed' })
    expect(await second.mutation(later)).toMatchObject({ status: 'confirmed' })
    await expectEqual('p', second)
    expect(await rowsOf('p')).toMatchObject([{ count: '1', body: 'later' }])
  })

  it('OUT-24 settled() includes what was committed elsewhere before it, and what was written here', async () => {
    const ann = await open('ann', 's')
    for (let round = 0; round < 5; round++) {
      await ann.db.query(`INSERT INTO note (id, board, title) VALUES ($1, 's', 'mine')`, [`mine${round}`])
      await insertNote(`theirs${round}`, 's')
      await ann.settled()
      expect(await rowsIn(ann)).toHaveLength(2 * (round + 1))
      expect(ann.status.pending).toBe(0)
      expect(await rowsIn(ann)).toEqual(await rowsOf('s'))
    }
  })
})
