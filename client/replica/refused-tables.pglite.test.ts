import { describe, expect, test } from 'vitest'
import type { Definition, Row, TableDefinition, TidemarkError } from '../../protocol/index.ts'
import { column, defineTable } from '../../testing/replica/definitions.ts'
import { at, batch, type ScriptedServer, type SnapshotScript } from '../../testing/replica/scripted-server.ts'
import { closeAfterEach, serve, start } from '../../testing/replica/serve.ts'
import { rowsOf, statusThat } from '../../testing/replica/start-replica.ts'
import type { Replica } from '../replica-api.ts'

closeAfterEach()

const tableOf = (name: string, rank = 'integer'): TableDefinition =>
  defineTable(name, [column('id'), column('org'), column('rank', rank)], { since: 1 })
const row = (id: string, rank = '1'): Row => ({ id, org: 'a', rank })
const both = (rank = 'integer'): Definition => ({ types: [], tables: [tableOf('note'), tableOf('task', rank)] })

const snapshot = (tasks: readonly Row[], position = 0x100): SnapshotScript => ({
  start: at(position),
  fence: at(position),
  snapshot: '10:10:',
  rows: { 'public.note': [row('n')], 'public.task': tasks },
})

async function opened(definition: Definition, tasks: readonly Row[]) {
  const { server, url } = await serve(definition, { 'org:a': snapshot(tasks) })
  const warnings: TidemarkError[] = []
  const replica = await start(url, { onWarning: (warning) => warnings.push(warning) })
  await replica.ready
  await statusThat(replica, ({ phase }) => phase === 'live')
  return { server, replica, warnings }
}

const askedForSnapshots = (server: ScriptedServer) =>
  server.requests.filter((path) => path.startsWith('/sync/snapshot'))

describe('a table that cannot be held', () => {
  test('FLD-30 HYD-R7 one of a type that is not known here is left out and told of; the others load, and with a new version it is tried again', async () => {
    const { server, replica, warnings } = await opened(both('public.vector'), [row('t')])
    expect(replica.status.refused).toEqual({ 'public.task': expect.stringContaining('vector') })
    expect(warnings.map(({ message }) => message)).toEqual([expect.stringContaining('public.task')])
    expect(await rowsOf(replica, 'note', 'id')).toEqual([{ id: 'n' }])
    const session = await server.session(0)
    expect(await session.frame('refused')).toEqual({ type: 'refused', tables: ['public.task'] })
    const change = (t: string) => ({ o: 'i' as const, t, a: 'org:a', d: row('x') })
    session.send(
      batch(at(0x100), at(0x110), [
        { lsn: at(0x110), xid: '11', changes: [change('public.task'), change('public.note')] },
      ]),
    )
    await replica.reached(at(0x110))
    expect(await rowsOf(replica, 'note', 'id')).toHaveLength(2)
    server.definition = { types: [], tables: [tableOf('note'), { ...tableOf('task'), since: 2 }] }
    server.definitionVersion = 2
    server.definitionHash = 'hash-two'
    server.snapshots.set('org:a', snapshot([row('t')], 0x120))
    const before = new Set<unknown>(session.received)
    session.send({ type: 'rehydrate', reason: 'definition' })
    await session.frame('stream', (frame) => !before.has(frame))
    session.send(batch(at(0x110), at(0x120)))
    await replica.reached(at(0x120))
    expect(await rowsOf(replica, 'task', 'id')).toEqual([{ id: 't' }])
    expect(replica.status.refused).toEqual({})
  })

  const reconnect = (replica: Replica) => {
    replica.goOffline()
    replica.goOnline()
  }
  test.each([
    ['the connection after goOnline()', reconnect],
    ['migrations.retry()', (replica: Replica) => replica.migrations.retry()],
  ])(
    'FLD-31 HYD-R7 MIG-R9 one whose rows are not taken is left out, and its load is repeated by %s alone',
    async (_, askAgain) => {
      const { server, replica } = await opened(both(), [row('t', 'many'), row('u'), row('v')])
      expect(replica.status.refused).toEqual({ 'public.task': expect.stringContaining('many') })
      expect(replica.status).toMatchObject({ phase: 'live', ready: true, rows: 1, error: null })
      await expect(replica.db.query('SELECT * FROM task')).rejects.toThrow(/task/)
      const asked = askedForSnapshots(server).length
      ;(await server.session(0)).cut()
      await server.session(1)
      await statusThat(replica, ({ phase }) => phase === 'live')
      expect(askedForSnapshots(server)).toHaveLength(asked)
      // The app may ask for it, once it is mended.
      server.snapshots.set('org:a', snapshot([row('t', '7')]))
      askAgain(replica)
      await statusThat(replica, ({ phase, refused }) => phase === 'live' && Object.keys(refused).length === 0)
      expect(await rowsOf(replica, 'task', 'id, rank')).toEqual([{ id: 't', rank: 7 }])
    },
  )

  test('FLD-32 HYD-R7 one that the stream fails on again after a fresh load is left out, and the others go on', async () => {
    const { server, replica } = await opened(both(), [row('t')])
    const bad = (session: Awaited<ReturnType<ScriptedServer['session']>>, from: number) => {
      const changes = [
        { o: 'i' as const, t: 'public.task', a: 'org:a', d: row('u', 'many') },
        { o: 'i' as const, t: 'public.note', a: 'org:a', d: row(`at ${from}`) },
      ]
      session.send(batch(at(from), at(from + 0x10), [{ lsn: at(from + 0x10), xid: '11', changes }]))
    }
    for (const number of [0, 1, 2]) {
      const session = await server.session(number)
      if (number > 0) await session.frame('stream')
      bad(session, 0x100)
    }
    await statusThat(replica, ({ phase, lsn }) => phase === 'live' && lsn === at(0x110))
    expect(replica.status.refused).toEqual({ 'public.task': expect.stringContaining('many') })
    expect(await rowsOf(replica, 'note', 'id')).toHaveLength(2)
    expect(server.sessions).toHaveLength(3)
  })
})
