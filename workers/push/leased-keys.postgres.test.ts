import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { LIMITS } from '../../protocol/index.ts'
import { NOTES, ORG, OTHER_ORG, SCARCE, sync, TICKETS } from '../../testing/leases/numbered-sync.ts'
import { servers } from '../../testing/postgres/servers.ts'
import { usePushFixture } from '../../testing/push/push-fixture.ts'
import { deleteOf, insertOf, TestClient } from '../../testing/push/test-client.ts'
import { answerLeases } from './answer-leases.ts'

const schema = readFileSync(join(import.meta.dirname, '../../testing/leases/migrations/0001_numbered.sql'), 'utf8')

describe.each(['embedded', 'system'] as const)('leased keys on the %s server', (server) => {
  const own = usePushFixture(servers()[server], { schema, sync })
  const lease = async (client: TestClient, wanted: Record<string, number>, userId = client.author.userId) => {
    const body = { protocol: LIMITS.protocolVersion, client: client.id, wanted }
    return (await answerLeases(own.owned.env, { userId }, body)).keys
  }
  const ticketRow = (id: string | undefined, title = 'one') =>
    insertOf('public.ticket', { id: id ?? '', org_id: ORG, title })
  const ids = async (name: string) =>
    (await own.database.query(`SELECT id::text FROM public.${name} ORDER BY 1`)).map((row) => row.id)

  test('FLD-190 LSE-R1 LSE-R2 keys are drawn by nextval for one client, and used by it alone', async () => {
    const [a, b] = [new TestClient(own.send), new TestClient(own.send)]
    const [ofA, ofB] = await Promise.all([
      lease(a, { [TICKETS]: 20, [NOTES]: 3, 'public.other_seq': 5 }),
      lease(b, { [TICKETS]: 20 }),
    ])
    expect(Object.keys(ofA).sort()).toEqual([NOTES, TICKETS])
    expect(new Set([...(ofA[TICKETS] ?? []), ...(ofB[TICKETS] ?? [])]).size).toBe(40)
    expect(ofA[NOTES]).toEqual(['1', '11', '21'])
    // The app's own server goes on by the same sequence, and meets none of them.
    const [made] = await own.database.query(
      `INSERT INTO public.ticket (org_id) VALUES ('${OTHER_ORG}') RETURNING id::text`,
    )
    expect([...(ofA[TICKETS] ?? []), ...(ofB[TICKETS] ?? [])]).not.toContain(made?.id)
    const [first, second, third] = ofA[TICKETS] ?? []
    const note = insertOf('public.note', { id: '11', org_id: ORG, ticket_id: first ?? '', body: 'x' })
    const both = [a.patch([ticketRow(first), note]), a.patch([ticketRow(second)])]
    expect(await a.decide(...both)).toEqual(['committed', 'committed'])
    expect(await ids('note')).toEqual(['11'])
    // Sent again it is answered alike; another client's key is refused, by itself and among others.
    a.counter = 0
    expect(await a.decide(a.patch([ticketRow(first), note]))).toEqual(['committed'])
    a.counter = 2
    const foreign = ticketRow(ofB[TICKETS]?.[0])
    expect(await a.decide(a.patch([ticketRow(third), foreign]), a.patch([ticketRow('99999')]))).toEqual([
      expect.objectContaining({ kind: 'key-unleased', table: 'public.ticket', key: foreign.k }),
      expect.objectContaining({ kind: 'key-unleased' }),
    ])
    expect(await a.decide(a.patch([ticketRow(third)]))).toEqual(['committed'])
    // Nor does a delete and an insert of a row that is not there make one.
    expect(await a.decide(a.patch([deleteOf('public.ticket', '88888'), ticketRow('88888')]))).toEqual([
      expect.objectContaining({ kind: 'key-unleased' }),
    ])
    // Its own row it may make again once it is gone.
    expect(await a.decide(a.patch([deleteOf('public.ticket', third ?? '')]), a.patch([ticketRow(third)]))).toEqual([
      'committed',
      'committed',
    ])
    for (const odd of ['007', '+7', ' 7', '7.0', 'x', '99999999999999999999'])
      expect(await a.decide(a.patch([ticketRow(odd)])), odd).toEqual([
        expect.objectContaining({ kind: 'key-unleased' }),
      ])
  })

  test('FLD-191 LSE-R3 PSH-R35 a leased key that somebody has taken is refused as such, seen by its author or not', async () => {
    const client = new TestClient(own.send)
    const [seen, unseen] = (await lease(client, { [TICKETS]: 2 }))[TICKETS] ?? []
    await own.database.query(
      `INSERT INTO public.ticket VALUES (${seen}, '${ORG}', 'by hand', NULL), (${unseen}, '${OTHER_ORG}', 'theirs', NULL)`,
    )
    expect(await client.decide(client.patch([ticketRow(seen)]), client.patch([ticketRow(unseen)]))).toEqual([
      expect.objectContaining({ kind: 'key-taken', table: 'public.ticket', key: { id: seen } }),
      { kind: 'key-taken', message: expect.any(String), table: 'public.ticket' },
    ])
    expect((await own.row('ticket', seen ?? ''))?.title).toBe('by hand')
  })

  test('FLD-250 LSE-R11 LSE-R12 an action gets the very keys that it took in the replica, its author’s own alone, and new ones beyond', async () => {
    const client = new TestClient(own.send)
    const keys = await lease(client, { [TICKETS]: 2, [NOTES]: 2 })
    const report = (bodies: string[], brought: Record<string, string[]>) =>
      client.action('report', { org: ORG, title: 'by action', bodies }, { keys: brought })
    // One note more than the replica knew of is numbered by the server.
    const [ticket, other] = keys[TICKETS] ?? []
    const brought = { [TICKETS]: [ticket ?? ''], [NOTES]: keys[NOTES] ?? [] }
    expect(await client.decide(report(['a', 'b', 'c'], brought))).toEqual(['committed'])
    const notes = await own.database.query(
      `SELECT id::text, ticket_id::text, body FROM public.note WHERE ticket_id = ${ticket} ORDER BY body`,
    )
    expect(notes.map(({ id, ticket_id }) => [id, ticket_id])).toEqual([
      [keys[NOTES]?.[0], ticket],
      [keys[NOTES]?.[1], ticket],
      [expect.stringMatching(/^\d+1$/), ticket],
    ])
    expect(keys[NOTES]).not.toContain(notes[2]?.id)
    // Nobody's, another client's, and what is no key at all.
    const ofOther = await lease(new TestClient(own.send), { [TICKETS]: 1 })
    for (const strange of ['999999', ofOther[TICKETS]?.[0] ?? '', '99999999999999999999'].map((key) => [key]))
      expect(await client.decide(report([], { [TICKETS]: strange }))).toEqual([
        expect.objectContaining({
          kind: strange[0]?.length === 20 ? expect.stringMatching(/invalid|key-unleased/) : 'key-unleased',
        }),
      ])
    // One that somebody took is refused as such, so that the replica takes another.
    await own.database.query(`INSERT INTO public.ticket VALUES (${other}, '${ORG}', 'by hand', NULL)`)
    expect(await client.decide(report([], { [TICKETS]: [other ?? ''] }))).toEqual([
      expect.objectContaining({ kind: 'key-taken', table: 'public.ticket' }),
    ])
    expect((await own.row('ticket', other ?? ''))?.title).toBe('by hand')
  })

  test('FLD-192 LSE-R4 a client of another user gets none, a sequence near its end gives a part, a day its number', async () => {
    const client = new TestClient(own.send)
    await lease(client, { [TICKETS]: 1 })
    await expect(lease(client, { [TICKETS]: 1 }, 'eve')).rejects.toMatchObject({ kind: 'forbidden' })
    await own.database.query(`SELECT setval('${SCARCE}', 32767 - 200)`)
    expect((await lease(client, { [SCARCE]: 500 }))[SCARCE]).toHaveLength(3)
    await own.database.query(`SELECT setval('${SCARCE}', 32766)`)
    expect((await lease(client, { [SCARCE]: 500 }))[SCARCE]).toEqual(['32767'])
    expect((await lease(client, { [SCARCE]: 500 }))[SCARCE]).toEqual([])
    expect(await client.decide(client.patch([insertOf('public.scarce', { id: '32767', org_id: ORG })]))).toEqual([
      'committed',
    ])
    await own.database.query(
      `UPDATE tidemark.key_lease SET drawn = CASE client_id WHEN '${client.id}' THEN ${LIMITS.leasedKeysPerDay - 2} ELSE 0 END WHERE sequence = '${TICKETS}'`,
    )
    const other = new TestClient(own.send)
    expect((await lease(other, { [TICKETS]: 10 }))[TICKETS]).toHaveLength(2)
    expect((await lease(client, { [TICKETS]: 10 }))[TICKETS]).toEqual([])
    // An increment that goes down ends at its least value.
    await own.database.query(
      `ALTER SEQUENCE ${TICKETS} INCREMENT -1 MINVALUE -10 RESTART -9; UPDATE tidemark.key_lease SET drawn = 0`,
    )
    expect((await lease(client, { [TICKETS]: 9 }))[TICKETS]).toEqual(['-9'])
  })

  test('FLD-228 LSE-R4 a user is given a part of a whole sequence in a day, in however many requests, also at once', async () => {
    await own.database.query(`SELECT setval('${SCARCE}', 1); UPDATE tidemark.key_lease SET drawn = 0`)
    const given: number[] = []
    for (let turn = 0; turn < 6; turn += 1)
      given.push((await lease(new TestClient(own.send), { [SCARCE]: 500 }))[SCARCE]?.length ?? 0)
    expect(given).toEqual([500, 500, 496, 488, 63, 0])
    const clients = Array.from({ length: 6 }, () => new TestClient(own.send))
    await own.database.query(`UPDATE tidemark.key_lease SET drawn = 0`)
    const at = await Promise.all(clients.map((client) => lease(client, { [SCARCE]: 500 })))
    expect(at.reduce((sum, keys) => sum + (keys[SCARCE]?.length ?? 0), 0)).toBe(2_047)
  })
})
