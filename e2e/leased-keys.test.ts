import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { drizzle } from 'drizzle-orm/pglite'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openReplica, type Replica } from '../client/index.ts'
import { note, ORG, SCARCE, sync, ticket } from '../testing/leases/numbered-sync.ts'
import { type System, startSystem } from '../testing/system/start-system.ts'
import { until } from '../testing/system/until.ts'

let system: System
const folder = mkdtempSync(join(tmpdir(), 'tidemark-leases-'))

beforeAll(async () => {
  system = await startSystem({
    app: {
      sync,
      syncModule: new URL('../testing/leases/numbered-sync.ts', import.meta.url),
      migrations: new URL('../testing/leases/migrations/', import.meta.url),
    },
  })
})
afterAll(async () => {
  await system?.dispose()
  rmSync(folder, { recursive: true, force: true })
})

async function open(user: string, storage = 'memory://'): Promise<Replica<typeof sync>> {
  const token = () => system.token({ userId: user, audiences: [`org:${ORG}`] })
  const replica = await openReplica({ url: system.url, user, token, sync, storage })
  await replica.ready
  return replica
}

const left = async (replica: Replica<typeof sync>, sequence: string) => {
  const count = 'SELECT count(*)::int AS left FROM tidemark.leased_key WHERE sequence = $1 AND NOT taken'
  return (await replica.db.query<{ left: number }>(count, [sequence])).rows[0]?.left ?? 0
}
const rowsHere = async (replica: Replica<typeof sync>, sql: string) => (await replica.db.query(sql)).rows
async function onServer(sql: string): Promise<Record<string, string | null>[]> {
  const database = await system.openDatabase()
  try {
    return await database.query(sql)
  } finally {
    await database.close()
  }
}

describe('rows that a sequence numbers, inserted offline', () => {
  it('FLD-193 LSE-R5 LSE-R6 two replicas insert parents and children offline with real keys, which the server keeps', async () => {
    const [ann, bob] = [await open('ann'), await open('bob')]
    for (const replica of [ann, bob]) {
      replica.goOffline()
      const orm = drizzle(replica.db as never)
      await replica.db.transaction(async (tx) => {
        const { rows } = await tx.query<{ id: number }>(
          `INSERT INTO ticket (org_id, title) VALUES ($1, 'sql') RETURNING id`,
          [ORG],
        )
        await tx.query(`INSERT INTO note (org_id, ticket_id, body) VALUES ($1, $2, 'child')`, [ORG, rows[0]?.id])
      })
      const [made] = await orm.insert(ticket).values({ orgId: ORG, title: 'drizzle' }).returning()
      await orm.insert(note).values({ orgId: ORG, ticketId: made?.id ?? 0, body: 'by drizzle' })
    }
    const written = await Promise.all([ann, bob].map((replica) => rowsHere(replica, 'SELECT id, title FROM ticket')))
    for (const replica of [ann, bob]) replica.goOnline()
    for (const replica of [ann, bob]) await replica.settled()
    await ann.settled()
    const joined = 'SELECT t.id, t.title, n.body FROM ticket t JOIN note n ON n.ticket_id = t.id ORDER BY t.id'
    expect(await rowsHere(ann, joined)).toHaveLength(4)
    expect(await rowsHere(ann, joined)).toEqual(await rowsHere(bob, joined))
    const here = await rowsHere(ann, 'SELECT id, title FROM ticket ORDER BY id')
    expect(here).toEqual(written.flat().sort((a, b) => (a as { id: number }).id - (b as { id: number }).id))
    expect(ann.failures).toEqual([])
    // The app's own server goes on by the same sequence.
    const [own] = await onServer(`INSERT INTO public.ticket (org_id) VALUES ('${ORG}') RETURNING id::text`)
    expect(here.map((row) => String((row as { id: number }).id))).not.toContain(own?.id)
    await ann.close()
    await bob.close()
  })

  it('FLD-194 LSE-R7 LSE-R8 keys that somebody took, or that the server no longer knows, make way with all that refers to them', async () => {
    const replica = await open('ann', join(folder, 'remade'))
    replica.goOffline()
    const insert = async (title: string, parent: number | null = null) =>
      (
        await replica.db.query<{ id: number }>(
          `INSERT INTO ticket (org_id, title, parent_id) VALUES ($1, $2, $3) RETURNING id`,
          [ORG, title, parent],
        )
      ).rows[0]?.id ?? 0
    const first = await insert('parent')
    const child = await insert('child', first)
    await replica.db.query(`INSERT INTO note (org_id, ticket_id, body) VALUES ($1, $2, 'of parent')`, [ORG, first])
    await replica.db.query(`UPDATE ticket SET title = 'parent, renamed' WHERE id = $1`, [first])
    const { id, confirmed } = await replica.transaction((tx) =>
      tx.query(`INSERT INTO ticket (org_id, title) VALUES ($1, 'awaited')`, [ORG]),
    )
    await onServer(`INSERT INTO public.ticket (id, org_id, title) VALUES (${first}, '${ORG}', 'by hand')`)
    const shown = replica.live('SELECT id, title, parent_id FROM ticket ORDER BY id')
    const stop = shown.subscribe(() => undefined)
    replica.goOnline()
    await replica.settled()
    expect(replica.failures).toEqual([])
    const [renamed] = (await rowsHere(replica, `SELECT id FROM ticket WHERE title = 'parent, renamed'`)) as {
      id: number
    }[]
    expect(renamed?.id).not.toBe(first)
    expect(await rowsHere(replica, `SELECT title FROM ticket WHERE id = ${first}`)).toEqual([{ title: 'by hand' }])
    expect(await rowsHere(replica, `SELECT parent_id FROM ticket WHERE title = 'child'`)).toEqual([
      { parent_id: renamed?.id },
    ])
    expect(await rowsHere(replica, `SELECT ticket_id FROM note WHERE body = 'of parent'`)).toEqual([
      { ticket_id: renamed?.id },
    ])
    const same = 'SELECT id::text, title, parent_id::text FROM public.ticket ORDER BY 1'
    expect(await onServer(same)).toEqual(await rowsHere(replica, same))
    const asShown = await rowsHere(replica, 'SELECT id, title, parent_id FROM ticket ORDER BY id')
    await until(async () => JSON.stringify(shown.getSnapshot().rows) === JSON.stringify(asShown))
    await confirmed
    expect((await replica.mutation(id ?? ''))?.status).toBe('confirmed')
    stop()

    // The leases are lost, as with a backup that is older than they are.
    replica.goOffline()
    const again = await insert('after the backup')
    await insert('its child', again)
    await insert('beside it')
    await onServer('DELETE FROM tidemark.key_lease')
    replica.goOnline()
    await replica.settled()
    expect(replica.failures).toEqual([])
    expect(await onServer(same)).toEqual(await rowsHere(replica, same))
    const titles = await rowsHere(
      replica,
      `SELECT p.title FROM ticket t JOIN ticket p ON p.id = t.parent_id WHERE t.title = 'its child'`,
    )
    expect(titles).toEqual([{ title: 'after the backup' }])
    // A row that was deleted comes back, if under another key.
    const [byHand] = [first]
    await replica.transaction((tx) => tx.query('DELETE FROM ticket WHERE id = $1', [byHand]))
    await replica.settled()
    await replica.undo()
    await replica.settled()
    expect(await rowsHere(replica, `SELECT title FROM ticket WHERE title = 'by hand'`)).toHaveLength(1)
    expect(await onServer(same)).toEqual(await rowsHere(replica, same))
    expect(child).toBeGreaterThan(0)
    await replica.close()
  })

  it('FLD-195 LSE-R9 a replica that ran out says so, keeps what it wrote, and goes on once it is online', async () => {
    const replica = await open('ann')
    replica.goOffline()
    const insert = () => replica.db.query('INSERT INTO scarce (org_id) VALUES ($1)', [ORG])
    const had = await left(replica, SCARCE)
    expect(had).toBeLessThan(4)
    for (let count = 0; count < had; count++) await insert()
    await expect(insert()).rejects.toMatchObject({ code: 'TMK01' })
    await expect(replica.db.query(`INSERT INTO scarce VALUES (7, $1)`, [ORG])).rejects.toMatchObject({ code: 'TMK02' })
    expect(await rowsHere(replica, 'SELECT id FROM scarce')).toHaveLength(had)
    replica.goOnline()
    await until(async () => (await left(replica, SCARCE)) > 0)
    await insert()
    await replica.settled()
    expect(await onServer('SELECT count(*)::text AS count FROM public.scarce')).toEqual([{ count: String(had + 1) }])
    await replica.close()
  })

  it('FLD-196 LSE-R10 an action numbers its rows in the replica, and the server’s number stands once it is confirmed', async () => {
    const replica = await open('ann')
    replica.goOffline()
    const { confirmed } = await replica.actions.open({ org: ORG, title: 'by action' })
    expect(await rowsHere(replica, `SELECT id FROM ticket WHERE title = 'by action'`)).toHaveLength(1)
    replica.goOnline()
    await confirmed
    await replica.settled()
    const same = `SELECT id::text FROM public.ticket WHERE title = 'by action'`
    expect(await onServer(same)).toEqual(await rowsHere(replica, same))
    await replica.close()
  })

  it('FLD-251 LSE-R11 an action that takes its keys keeps them on the server, and what builds on them stands', async () => {
    const replica = await open('ann')
    replica.goOffline()
    const { confirmed } = await replica.actions.report({ org: ORG, title: 'keyed', bodies: ['x', 'y'] })
    const [made] = (await rowsHere(replica, `SELECT id FROM ticket WHERE title = 'keyed'`)) as { id: number }[]
    await replica.db.query(`INSERT INTO ticket (org_id, title, parent_id) VALUES ($1, 'of keyed', $2)`, [ORG, made?.id])
    const before = await rowsHere(replica, `SELECT id, ticket_id FROM note WHERE body IN ('x', 'y') ORDER BY id`)
    // The server knows a row more, of which the replica's run had no key.
    const remarked = await replica.actions.remarkAll({ org: ORG, title: 'keyed' })
    await onServer(`INSERT INTO public.ticket (org_id, title) VALUES ('${ORG}', 'keyed')`)
    replica.goOnline()
    await confirmed
    await remarked.confirmed
    await replica.settled()
    expect(await rowsHere(replica, `SELECT id, ticket_id FROM note WHERE body IN ('x', 'y') ORDER BY id`)).toEqual(
      before,
    )
    expect(before).toEqual([1, 2].map(() => ({ id: expect.anything(), ticket_id: made?.id })))
    expect(await rowsHere(replica, `SELECT parent_id FROM ticket WHERE title = 'of keyed'`)).toEqual([
      { parent_id: made?.id },
    ])
    const same = `SELECT id::text, ticket_id::text FROM public.note WHERE body IN ('x', 'y', 'remark') ORDER BY id`
    expect(await onServer(same)).toEqual(await rowsHere(replica, same))
    expect(await rowsHere(replica, `SELECT FROM note WHERE body = 'remark'`)).toHaveLength(2)
    expect(replica.failures).toEqual([])
    await replica.close()
  })

  it('FLD-252 LSE-R13 LSE-R14 what was called with a key that made way is called anew under the other, or fails with what to do', async () => {
    const replica = await open('ann')
    replica.goOffline()
    await replica.actions.report({ org: ORG, title: 'taken', bodies: ['of taken'] })
    const [made] = (await rowsHere(replica, `SELECT id FROM ticket WHERE title = 'taken'`)) as { id: number }[]
    const id = made?.id ?? 0
    await replica.actions.retitle({ ticket: id, title: 'retitled' })
    await replica.actions.shout({ title: 'retitled' })
    await replica.db.query(`INSERT INTO ticket (org_id, title, parent_id) VALUES ($1, 'child of taken', $2)`, [ORG, id])
    const closed = await replica.actions.close({ ticket: id })
    const failing = expect(closed.confirmed).rejects.toMatchObject({
      rejection: { kind: 'dependency', message: expect.stringContaining(`had key ${id} and has`) },
    })
    await onServer(`INSERT INTO public.ticket (id, org_id, title) VALUES (${id}, '${ORG}', 'theirs')`)
    replica.goOnline()
    await failing
    await replica.settled()
    const [now] = (await rowsHere(replica, `SELECT id FROM ticket WHERE title = 'RETITLED'`)) as { id: number }[]
    expect(now?.id).not.toBe(id)
    expect(await rowsHere(replica, `SELECT parent_id FROM ticket WHERE title = 'child of taken'`)).toEqual([
      { parent_id: now?.id },
    ])
    expect(await rowsHere(replica, `SELECT ticket_id FROM note WHERE body = 'of taken'`)).toEqual([
      { ticket_id: now?.id },
    ])
    expect(await rowsHere(replica, `SELECT title FROM ticket WHERE id = ${id}`)).toEqual([{ title: 'theirs' }])
    expect(replica.failures).toMatchObject([{ action: { name: 'close' } }])
    const same = 'SELECT id::text, title, parent_id::text FROM public.ticket ORDER BY 1'
    expect(await onServer(same)).toEqual(await rowsHere(replica, same))
    await replica.close()
  })
})
