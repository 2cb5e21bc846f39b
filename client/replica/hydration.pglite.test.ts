import { afterEach, describe, expect, test } from 'vitest'
import { NOTES } from '../../testing/replica/definitions.ts'
import { at, batch, ScriptedServer } from '../../testing/replica/scripted-server.ts'
import { rowsOf, startReplica, statusThat } from '../../testing/replica/start-replica.ts'
import type { Replica } from '../open-replica.ts'

const open: { close(): Promise<void> }[] = []

afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close()
})

async function serve(audiences: string[] = ['org:a']): Promise<{ server: ScriptedServer; url: string }> {
  const server = new ScriptedServer(NOTES, audiences)
  open.push(server)
  return { server, url: await server.listen() }
}

async function start(...args: Parameters<typeof startReplica>): Promise<Replica> {
  const replica = await startReplica(...args)
  open.push(replica)
  return replica
}

const note = (id: string, org = 'a', title = `title ${id}`, rank: string | null = '1') => ({ id, org, title, rank })

describe('hydration', () => {
  test('SNP-01 a fresh client holds what its audiences select', async () => {
    const { server, url } = await serve(['org:a', 'org:b'])
    server.snapshots.set('org:a', {
      start: at(0x90),
      fence: at(0x90),
      snapshot: '10:10:',
      rows: { 'public.note': [note('1'), note('2'), note('3')] },
    })
    server.snapshots.set('org:b', {
      start: at(0x80),
      fence: at(0x80),
      snapshot: '9:9:',
      rows: { 'public.note': [note('4', 'b')] },
    })
    const replica = await start(url)
    const session = await server.session(0)
    expect((await session.frame('stream')).from).toBe(at(0x80))
    session.send(batch(at(0x80), at(0x100)))
    await replica.ready
    expect(await rowsOf(replica, 'note', 'id, org, title, rank')).toEqual([
      { id: '1', org: 'a', title: 'title 1', rank: 1 },
      { id: '2', org: 'a', title: 'title 2', rank: 1 },
      { id: '3', org: 'a', title: 'title 3', rank: 1 },
      { id: '4', org: 'b', title: 'title 4', rank: 1 },
    ])
    const status = await statusThat(replica, ({ phase }) => phase === 'live')
    expect(status).toMatchObject({
      ready: true,
      lsn: at(0x100),
      head: at(0x100),
      rows: 4,
      error: null,
      hydration: null,
    })
  })
})
