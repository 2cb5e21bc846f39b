import { afterEach, expect, test, vi } from 'vitest'
import type { Definition, Row } from '../../protocol/index.ts'
import { column, defineTable } from '../../testing/replica/definitions.ts'
import { at, batch, type ScriptedServer } from '../../testing/replica/scripted-server.ts'
import { closeAfterEach, serve, start } from '../../testing/replica/serve.ts'
import { rowsOf, statusThat } from '../../testing/replica/start-replica.ts'

closeAfterEach()
afterEach(() => void vi.restoreAllMocks())

const org = column('org', 'text', { notNull: true })
const task = defineTable('task', [column('id'), org], { write: 'all', since: 1 })
const withRank = { ...task, columns: [...task.columns, column('rank', 'integer')], since: 2 }
const definitionOf = (table: typeof task): Definition => ({ types: [], tables: [table] })
const snapshot = (position: number, rows: readonly Row[]) => ({
  start: at(position),
  fence: at(position),
  snapshot: '10:10:',
  rows: { 'public.task': rows },
})

/** A replica whose server has put a version in force that must be loaded, and answers chunks as the test says. */
async function behind(answer: 'garbage' | 503) {
  const { server, url } = await serve(definitionOf(task), { 'org:a': snapshot(0x100, [{ id: 't', org: 'a' }]) })
  // Pauses between tries are drawn at random up to their bound.
  vi.spyOn(Math, 'random').mockReturnValue(0)
  const replica = await start(url, { onWarning: () => undefined })
  await replica.ready
  await statusThat(replica, ({ phase }) => phase === 'live')
  let asked = 0
  server.intercept = (path, response) => {
    if (path.split('/')[4] === undefined) return false
    asked += 1
    if (answer !== 'garbage') response.statusCode = answer
    response.end('no chunk')
    return true
  }
  changeTo(server, 0x110, [{ id: 't', org: 'a', rank: '5' }])
  const session = await server.session(0)
  session.send({ type: 'rehydrate', reason: 'definition' })
  return { server, replica, asked: () => asked }
}

function changeTo(server: ScriptedServer, position: number, rows: readonly Row[]): void {
  server.putInForce(definitionOf(withRank), at(position))
  server.snapshots.set('org:a', snapshot(position, rows))
  server.head = at(position)
}

/** Answers every session that comes, from the second on, until the replica has what the server has. */
async function streamOn(server: ScriptedServer, from: number): Promise<void> {
  const session = await server.session(from)
  const { from: place } = await session.frame('stream')
  if (place < server.head) session.send(batch(place, server.head))
}

test('MIG-10 MIG-R9 a version that cannot be loaded is tried six times, then only where the app asks; all else goes on', async () => {
  const { server, replica, asked } = await behind('garbage')
  for (let session = 1; session <= 5; session++) void streamOn(server, session)
  await statusThat(replica, ({ migrations }) => migrations.failed?.retries === 5)
  const { failed } = replica.migrations
  expect(failed).toEqual({ version: 2, error: expect.any(String), retries: 5 })
  const last = await server.session(6)
  expect(await last.frame('schema')).toMatchObject({ version: 2, waiting: 1, retries: 5, fault: failed?.error })
  await statusThat(replica, ({ phase }) => phase === 'live')
  await expect(replica.settled()).rejects.toMatchObject({ message: expect.stringContaining('migrations.retry()') })
  expect(asked()).toBe(18)
  expect(replica.migrations).toMatchObject({ version: 2, pending: [2], applied: [], waiting: ['public.task'] })
  expect(await rowsOf(replica, 'task', '*')).toEqual([{ id: 't', org: 'a' }])
  server.intercept = () => false
  replica.migrations.retry()
  await replica.settled()
  expect(await rowsOf(replica, 'task', '*')).toEqual([{ id: 't', org: 'a', rank: 5 }])
  expect(replica.migrations).toMatchObject({ version: 2, pending: [], applied: [2], waiting: [], failed: null })
})

test('MIG-R9 retry() waits for no pause', async () => {
  const { server, replica } = await behind(503)
  // Every pause from here on is longer than a test.
  vi.spyOn(Math, 'random').mockReturnValue(1000)
  await statusThat(replica, ({ migrations, phase }) => migrations.failed !== null && phase === 'backing-off')
  server.intercept = () => false
  replica.migrations.retry()
  await streamOn(server, 1)
  await replica.reached(at(0x110))
  expect(replica.migrations).toMatchObject({ applied: [2], failed: null })
})

test('MIG-R9 retry() does nothing where nothing failed', async () => {
  const { server, url } = await serve(definitionOf(task), { 'org:a': snapshot(0x100, [{ id: 't', org: 'a' }]) })
  const replica = await start(url)
  await replica.ready
  await statusThat(replica, ({ phase }) => phase === 'live')
  const phases: string[] = []
  replica.subscribe(({ phase }) => phases.push(phase))
  const asked = server.requests.length
  replica.migrations.retry()
  await replica.settled()
  // Where nothing is done, nothing need be told either.
  expect([...phases, replica.status.phase].filter((phase) => phase !== 'live')).toEqual([])
  expect(server.requests.slice(asked).filter((path) => path.startsWith('/sync/snapshot'))).toEqual([])
  expect(replica.migrations).toMatchObject({ version: 1, pending: [], applied: [], failed: null })
})
