import type { ServerResponse } from 'node:http'
import { describe, expect, test } from 'vitest'
import type { Definition, Row } from '../../protocol/index.ts'
import { column, defineTable } from '../../testing/replica/definitions.ts'
import { at, batch, type SnapshotScript } from '../../testing/replica/scripted-server.ts'
import { closeAfterEach, serve, start } from '../../testing/replica/serve.ts'
import { rowsOf, statusThat } from '../../testing/replica/start-replica.ts'

closeAfterEach()

const columns = [column('id'), column('org', 'text', { notNull: true }), column('title')]
const task = defineTable('task', columns, { write: 'all', since: 1 })
const ranked = { ...task, columns: [...columns, column('rank', 'integer', { notNull: true, default: '9' })], since: 2 }
const FIRST: Definition = { types: [], tables: [task] }
const SECOND: Definition = { types: [], tables: [ranked] }
const STEP = {
  table: task.id,
  from: task.id,
  columns: [...columns.map(({ name }) => ({ name, from: name })), { name: 'rank', from: null, value: '7' }],
}

const snapshotOf = (place: number, ...rows: readonly Row[]): SnapshotScript => ({
  start: at(place),
  fence: at(place),
  snapshot: '10:10:',
  rows: { 'public.task': rows },
})
const row = (id: string, org: string, more: Row = {}): Row => ({ id, org, title: id, ...more })

/** Opens a replica of `org:a`, and keeps every state that a live query shows. */
async function opened() {
  const { server, url } = await serve(FIRST, { 'org:a': snapshotOf(0x100, row('a1', 'a')) })
  const replica = await start(url)
  await replica.ready
  const session = await server.session(0)
  await session.frame('stream')
  const states: string[] = []
  await replica.db.live.query('SELECT to_json(t)::text AS state FROM task t ORDER BY id', [], ({ rows }) => {
    const state = rows.map((one) => String(one.state)).join()
    if (states.at(-1) !== state) states.push(state)
  })
  return { server, replica, session, states }
}

const OLD = '{"id":"a1","org":"a","title":"a1"}'
const shown = (id: string, org: string, rank: number) => JSON.stringify({ id, org, title: id, rank })

describe('a version that comes while a granted audience is loaded', () => {
  test.each(['before its snapshot is answered', 'once it waits for its place'] as const)(
    'MIG-14 MIG-R1 RGT-R4 %s: rows of both are shown in the shape of one version, always',
    async (moment) => {
      const { server, replica, session, states } = await opened()
      server.audiences = ['org:a', 'org:b']
      const waits = moment === 'once it waits for its place'
      server.snapshots.set('org:b', { ...snapshotOf(0x108, row('b1', 'b')), fence: at(waits ? 0x140 : 0x108) })
      const held: ServerResponse[] = []
      server.intercept = (path, response) => !waits && path.startsWith('/sync/snapshot/') && held.push(response) > 0
      // The replica is past the start of the snapshot to come, so that the stream begins anew there.
      session.send(batch(at(0x100), at(0x110)))
      session.send({ type: 'audiences', audiences: ['org:a', 'org:b'] })
      if (waits) await session.frame('stream', ({ from }) => from === at(0x108))
      else await expect.poll(() => held.length).toBeGreaterThan(0)
      server.intercept = () => false
      server.putInForce(SECOND, at(0x120), [STEP])
      server.snapshots.set('org:a', snapshotOf(0x130, row('a1', 'a', { rank: '7' }), row('a2', 'a', { rank: '1' })))
      server.snapshots.set('org:b', snapshotOf(0x130, row('b1', 'b', { rank: '7' })))
      server.head = at(0x130)
      session.send({ type: 'rehydrate', reason: 'definition' })
      // An answer that was made for the version before comes late.
      for (const response of held) response.writeHead(503).end()
      await statusThat(replica, (status) => status.audiences.includes('org:b') && status.migrations.version === 2)
      const last = server.sessions.at(-1) ?? session
      last.send(
        batch(at(0x130), at(0x140), [
          {
            lsn: at(0x140),
            xid: '14',
            changes: [{ o: 'i', t: 'public.task', a: 'org:b', d: { id: 'b2', org: 'b', title: 'b2', rank: '3' } }],
          },
        ]),
      )
      await replica.reached(at(0x140))
      expect(await rowsOf(replica, 'task', 'id, rank')).toEqual([
        { id: 'a1', rank: 7 },
        { id: 'a2', rank: 1 },
        { id: 'b1', rank: 7 },
        { id: 'b2', rank: 3 },
      ])
      const both = [shown('a1', 'a', 7), shown('a2', 'a', 1), shown('b1', 'b', 7)]
      await expect.poll(() => states.at(-1)).toBe([...both, shown('b2', 'b', 3)].join())
      for (const state of states)
        expect([OLD, [shown('a1', 'a', 7)].join(), both.join(), [...both, shown('b2', 'b', 3)].join()]).toContain(state)
    },
  )
})
