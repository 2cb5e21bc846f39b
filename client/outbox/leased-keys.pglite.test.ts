import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { z } from 'zod'
import { action } from '../../db/index.ts'
import { type Definition, leasesRequestSchema } from '../../protocol/index.ts'
import { column, defineTable } from '../../testing/replica/definitions.ts'
import { LocalReplica } from '../../testing/replica/local-replica.ts'
import { addLeased, passOverKeysOf } from '../store/rows/leased-keys.ts'
import { KeyLeases } from './key-leases.ts'

const SEQUENCE = 'public.ticket_id_seq'
const TICKETS: Definition = {
  types: [],
  tables: [
    defineTable(
      'ticket',
      [
        column('id', 'smallint', {
          notNull: true,
          default: `tidemark.next_key('${SEQUENCE}', '"public"."ticket"', 'id')`,
          leased: SEQUENCE,
        }),
        column('org', 'text', { notNull: true }),
        column('title'),
      ],
      { write: 'all' },
    ),
  ],
}
const two = action(z.object({ titles: z.array(z.string()) }), async ({ sql }, { titles }) => {
  for (const title of titles) await sql`INSERT INTO ticket (org, title) VALUES ('a', ${title})`
})
const keyed = action(z.object({ titles: z.array(z.string()) }), async ({ sql, key }, { titles }) => {
  const keys = await Promise.all(titles.map(() => key('ticket')))
  for (const [at, title] of titles.entries())
    await sql`INSERT INTO ticket (id, org, title) VALUES (${keys[at] ?? ''}, 'a', ${title})`
})
const lost = action(z.object({}), async ({ key }) => {
  await key('nowhere')
})

let replica: LocalReplica
beforeEach(async () => {
  replica = await LocalReplica.open(TICKETS, { actions: { two, keyed, lost }, development: true })
  await replica.db.transaction((tx) => addLeased(tx, { [SEQUENCE]: ['11', '12', '13', '14', '32767'] }))
})
afterEach(() => replica.close())

const insert = (title: string) =>
  replica.db.query(`INSERT INTO ticket (org, title) VALUES ('a', $1) RETURNING id`, [title])
const idsOf = async () => (await replica.rows('ticket', 'id, title')).map(({ id, title }) => `${id} ${title}`)

describe('keys that a replica leased', () => {
  test('LSE-R5 a rollback gives keys back, one that a row has by now is passed over, none is given twice', async () => {
    const failing = replica.db.transaction(async (tx) => {
      await tx.query(`INSERT INTO ticket (org) VALUES ('a'), ('a')`)
      throw new Error('no')
    })
    await expect(failing).rejects.toThrow('no')
    expect((await insert('first')).rows).toEqual([{ id: 11 }])
    await replica.commit([{ o: 'i', t: 'public.ticket', a: 'org:a', d: { id: '12', org: 'a', title: 'by hand' } }])
    expect((await insert('second')).rows).toEqual([{ id: 13 }])
    await replica.db.exec('DELETE FROM ticket WHERE id = 13')
    expect((await insert('third')).rows).toEqual([{ id: 14 }])
    // A key that is leased once more, by a server that was put back, is no new one.
    await replica.db.transaction((tx) => addLeased(tx, { [SEQUENCE]: ['13', '14'] }))
    expect((await insert('last')).rows).toEqual([{ id: 32767 }])
    expect(await idsOf()).toEqual(['11 first', '12 by hand', '14 third', '32767 last'])
  })

  test('LSE-R9 without a key left, and with a key of one’s own, an insert fails by its own SQLSTATE and keeps what was written', async () => {
    for (const title of ['1', '2', '3', '4', '5']) await insert(title)
    await expect(insert('6')).rejects.toMatchObject({ code: 'TMK01', hint: expect.stringContaining('Go online') })
    await expect(replica.outbox.runAction('two', { titles: ['7'] })).rejects.toMatchObject({ kind: 'keys-exhausted' })
    const own = replica.db.query(`INSERT INTO ticket VALUES (99, 'a', 'own')`)
    await expect(own).rejects.toMatchObject({ code: 'TMK02', hint: expect.stringContaining('Leave the key out') })
    await expect(replica.db.query('UPDATE ticket SET id = 98 WHERE id = 11')).rejects.toMatchObject({ code: 'TMK02' })
    expect(await idsOf()).toEqual(['11 1', '12 2', '13 3', '14 4', '32767 5'])
    // One that was leased may be named.
    await replica.db.transaction((tx) => addLeased(tx, { [SEQUENCE]: ['20'] }))
    await replica.db.query(`INSERT INTO ticket VALUES (20, 'a', 'named')`)
    await expect(insert('none left')).rejects.toMatchObject({ code: 'TMK01' })
  })

  test('LSE-R5 an action that is run again numbers its rows as before', async () => {
    await replica.outbox.runAction('two', { titles: ['a', 'b'] })
    await insert('c')
    const before = await idsOf()
    await replica.commit([{ o: 'i', t: 'public.ticket', a: 'org:a', d: { id: '1', org: 'a', title: 'theirs' } }])
    expect(await idsOf()).toEqual(['1 theirs', ...before])
    expect(await replica.states()).toEqual({ 1: 'pending', 2: 'pending' })
  })

  test('ACT-R9 LSE-R11 LSE-R13 an action takes the same keys in every run, also where a row of another has one by now', async () => {
    const warned = vi.spyOn(console, 'warn').mockImplementation(() => undefined)
    await replica.outbox.runAction('keyed', { titles: ['a', 'b'] })
    expect(warned).not.toHaveBeenCalled()
    warned.mockRestore()
    await insert('c')
    expect(await idsOf()).toEqual(['11 a', '12 b', '13 c'])
    await replica.commit([{ o: 'i', t: 'public.ticket', a: 'org:a', d: { id: '12', org: 'a', title: 'by hand' } }])
    expect(await idsOf()).toEqual(['11 a', '12 b', '13 c'])
    expect(await replica.states()).toEqual({ 1: 'pending', 2: 'pending' })
    // A database that is older than its journal passes over them.
    await replica.db.exec('UPDATE tidemark.leased_key SET taken = false WHERE key < 13')
    await replica.db.transaction((tx) => passOverKeysOf(tx, [1]))
    expect((await insert('next')).rows).toEqual([{ id: 14 }])
    await expect(replica.outbox.runAction('keyed', { titles: ['x', 'y'] })).rejects.toMatchObject({
      kind: 'keys-exhausted',
    })
    await expect(replica.outbox.runAction('lost', {})).rejects.toThrow("needs write: 'all'")
  })

  test('LSE-R5 a database that is older than its journal passes over the keys of what it reads back', async () => {
    await insert('read back')
    await replica.db.transaction((tx) => replica.outbox.sealNewPatches(tx, replica.copy.tables))
    await replica.db.exec('UPDATE tidemark.leased_key SET taken = false')
    await replica.db.transaction((tx) => passOverKeysOf(tx, [1]))
    expect((await insert('next')).rows).toEqual([{ id: 12 }])
  })

  test('FLD-227 LSE-R8 for more refused rows than are leased at once keys are asked for as often as it takes, while they come', async () => {
    let next = 100
    let rest = 1_700
    const asked: Record<string, number>[] = []
    const post = async (_path: string, body: string) => {
      const { wanted } = leasesRequestSchema.parse(JSON.parse(body))
      asked.push(wanted)
      const draw = (count: number) => {
        const drawn = Array.from({ length: Math.min(count, rest) }, (_, index) => String(next + index))
        next += drawn.length
        rest -= drawn.length
        return drawn
      }
      return { keys: Object.fromEntries(Object.entries(wanted).map(([name, count]) => [name, draw(count)])) }
    }
    const unused = () => Promise.reject(new Error('not asked for'))
    const leases = new KeyLeases({
      db: replica.db,
      http: { post, json: unused, bytes: unused },
      clientId: 'client-of-this-test',
      shown: () => replica.copy,
      nowMs: () => 0,
    })
    const refused = (count: number) =>
      Array.from({ length: count }, (_, index) => ({
        table: 'public.ticket',
        column: 'id',
        sequence: SEQUENCE,
        key: String(20_000 + index),
      }))
    // Some are there, as many as a replica holds, and then more than that.
    for (const count of [500, 501, 1_200]) expect(await leases.leaseFor(refused(count), true)).toBe(true)
    expect(asked.map((wanted) => wanted[SEQUENCE])).toEqual([495, 1, 500, 199])
    expect(await leases.leaseFor(refused(2_000), true)).toBe(false)
    expect(asked.slice(4).map((wanted) => wanted[SEQUENCE])).toEqual([500, 300])
    await leases.stop()
  })
})
