import { randomUUID } from 'node:crypto'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { actionId, refuse } from '../../db/index.ts'
import { servers } from '../../testing/postgres/servers.ts'
import { ORG_A, ORG_B } from '../../testing/push/push-app.ts'
import { usePushFixture } from '../../testing/push/push-fixture.ts'
import { insertOf, TestClient, updateOf } from '../../testing/push/test-client.ts'
import { callCommitted } from './committed-calls.ts'
import type { CommittedMutation } from './options.ts'

const fixture = usePushFixture(servers().system)
let client: TestClient
beforeEach(async () => {
  client = new TestClient(fixture.send)
  vi.spyOn(console, 'warn').mockImplementation(() => {})
})
const ledger = (key: string) => fixture.row('ledger', key)

describe('shared functions', () => {
  it('REB-09 PSH-R11 ids are derived from the mutation and the names: equal everywhere, distinct in a loop', async () => {
    expect(await client.decide(client.action('book', { org: ORG_A, amounts: [1, 2, 3] }))).toEqual(['committed'])
    const keys = [0, 1, 2].map((index) => actionId(`${client.id}:1`, ['entry', index]))
    expect(new Set(keys).size).toBe(3)
    for (const [index, key] of keys.entries()) expect(await ledger(key)).toMatchObject({ amount: String(index + 1) })
    expect(actionId('a:1', ['x', 1])).not.toBe(actionId('a:1', ['x', '1']))
    expect(actionId('a:1', ['x'])).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-5/)
  })

  it('REB-10 OUT-17 PSH-R11 `now` is its author’s within bounds, `user` the session’s', async () => {
    const book = async (at: string) => {
      const mutation = client.action('book', { org: ORG_A, amounts: [1] }, { at })
      expect(await client.decide(mutation)).toEqual(['committed'])
      return ledger(actionId(`${client.id}:${mutation.counter}`, ['entry', 0]))
    }
    const early = await book('2001-01-01T00:00:00.000Z')
    const [bounds] = await fixture.database.query(
      `SELECT floor(extract(epoch FROM created_at) * 1000)::text AS made FROM tidemark.client WHERE id = $1`,
      [client.id],
    )
    const madeMs = Number(bounds?.made)
    expect(Date.parse(early?.at ?? '')).toBe(madeMs)
    const late = await book('2099-01-01T00:00:00.000Z')
    expect(Date.parse(late?.at ?? '')).toBeGreaterThanOrEqual(madeMs)
    expect(Date.parse(late?.at ?? '')).toBeLessThanOrEqual(Date.now())
    const between = new Date(madeMs + 1).toISOString()
    expect(await book(between)).toMatchObject({ at: between, by: 'ann' })
  })

  it('REB-11 PSH-R11 an unknown action and bad arguments are refused by type, and nothing else stops', async () => {
    const decided = await client.decide(
      client.action('newer', {}),
      client.action('constructor', {}),
      client.action('book', { org: 'nowhere', amounts: [] }),
      client.action('book', null),
      client.action('book', { org: ORG_A, amounts: [5] }),
    )
    expect(decided.map((one) => (one === 'committed' ? one : one.kind))).toEqual([
      'unknown-action',
      'unknown-action',
      'invalid',
      'invalid',
      'committed',
    ])
  })

  it('MIG-02 PSH-R11 arguments of an earlier version are mapped as the action says, and checked then', async () => {
    const old = client.action('book', { org: ORG_A, amount: 7 })
    const decided = await client.decide(old, client.action('book', { org: ORG_A, amount: 'x' }))
    expect(decided).toMatchObject(['committed', { kind: 'invalid' }])
    expect(await ledger(actionId(`${client.id}:${old.counter}`, ['entry', 0]))).toMatchObject({ amount: '7' })
  })

  it('REB-21 PSH-R11 a refusal keeps code, message and data; nothing of it stays', async () => {
    const [rejection] = await client.decide(client.action('book', { org: ORG_A, amounts: [1, -5] }))
    expect(rejection).toEqual({
      kind: 'refused',
      code: 'overdrawn',
      message: 'There is not so much.',
      data: { amount: -5 },
    })
    expect(await ledger(actionId(`${client.id}:1`, ['entry', 0]))).toBeUndefined()
  })

  it('SEC-06 REB-11 PSH-R11 whatever else it throws is told as a failure alone, and logged', async () => {
    const decided = await client.decide(
      ...['throw', 'syntax', 'swallow', 'late'].map((how) => client.action('broken', { how })),
    )
    expect(decided.map((one) => (one === 'committed' ? one : one.kind))).toEqual([
      'invalid',
      'invalid',
      'invalid',
      'committed',
    ])
    expect(JSON.stringify(decided)).not.toMatch(/secret|SELEKT|zero/)
    expect(vi.mocked(console.warn).mock.calls.flat().join()).toContain('action broken failed: secret of the server')
    // A statement that was not awaited belongs to the transaction all the same.
    expect(await ledger('00000000-0000-4000-8000-000000000001')).toBeDefined()
  })

  it('SEC-14 PSH-R11 an action writes what its author may, and nothing beside', async () => {
    const decided = await client.decide(
      client.action('announce', { id: randomUUID(), body: 'x' }),
      client.action('book', { org: ORG_B, amounts: [1] }),
      client.patch([insertOf('public.ledger', { id: randomUUID(), org_id: ORG_A, amount: '1', at: null, by: null })]),
      client.patch([insertOf('public.notice', { id: randomUUID(), body: 'x' }, undefined, 'all')]),
    )
    expect(decided).toMatchObject([
      { kind: 'forbidden' },
      { kind: 'forbidden' },
      { kind: 'forbidden' },
      { kind: 'forbidden' },
    ])
  })
})

describe('the server’s half', () => {
  it('REB-21 SEC-14 PSH-R11 checks, refuses, writes more, and stands in the same transaction', async () => {
    const extra = randomUUID()
    client = new TestClient(
      fixture.sender({
        actions: {
          book: async (run, { args, sql, user, env, id }) => {
            expect(typeof env.DATABASE_URL).toBe('string')
            if (args.amounts.includes(13)) refuse('unlucky', 'Not this one.')
            await run()
            if (user.id !== 'ann') refuse('role', 'Only Ann books.')
            await sql`INSERT INTO ledger (id, org_id, amount, at) VALUES (${extra}, ${args.org}, 99, ${id('entry', 0)})`
          },
        },
      }),
    )
    const decided = await client.decide(
      client.action('book', { org: ORG_A, amounts: [13] }),
      client.action('book', { org: ORG_A, amounts: [1] }),
    )
    expect(decided).toMatchObject([{ kind: 'refused', code: 'unlucky' }, 'committed'])
    const entry = actionId(`${client.id}:2`, ['entry', 0])
    expect(await ledger(extra)).toMatchObject({ amount: '99', at: entry })
    expect(await ledger(entry)).toBeDefined()
    const other = new TestClient(fixture.send, { userId: 'bob', audiences: [`org:${ORG_A}`] })
    expect(await other.decide(other.action('book', { org: ORG_A, amounts: [2] }))).toEqual(['committed'])
  })

  it('PSH-R12 onCommitted is told of each commit at least once: again after it threw, never of a rejection', async () => {
    const told: CommittedMutation[] = []
    client = new TestClient(fixture.sender({ onCommitted: () => {} }))
    const id = await fixture.task()
    const book = client.action('book', { org: ORG_A, amounts: [1] })
    await client.decide(
      book,
      client.patch([updateOf('public.task', id, { title: ['two', 'one'] })]),
      client.action('book', { org: ORG_A, amounts: [-1] }),
    )
    await client.decide(book)
    const left = async () =>
      (
        await fixture.database.query(
          'SELECT counter::text, attempts::text, (due_at > now())::text AS later FROM tidemark.committed_call ORDER BY counter',
        )
      ).map(({ counter, attempts, later }) => [counter, attempts, later])
    expect(await left()).toEqual([
      ['1', '0', 'false'],
      ['2', '0', 'false'],
    ])
    const failOnPatches = async (mutation: CommittedMutation) => {
      told.push(mutation)
      if (mutation.kind === 'patch') throw new Error('not now')
    }
    await callCommitted(fixture.owned.env, failOnPatches)
    expect(told.map(({ id: name, kind }) => [name, kind])).toEqual(
      expect.arrayContaining([
        [`${client.id}:1`, 'action'],
        [`${client.id}:2`, 'patch'],
      ]),
    )
    expect(told.find(({ kind }) => kind === 'action')).toMatchObject({
      name: 'book',
      args: { org: ORG_A, amounts: [1] },
      userId: 'ann',
      client: client.id,
    })
    expect(await left()).toEqual([['2', '1', 'true']])
    await callCommitted(fixture.owned.env, failOnPatches)
    expect(told).toHaveLength(2)
    await fixture.database.query(`UPDATE tidemark.committed_call SET due_at = now()`)
    await callCommitted(fixture.owned.env, (mutation) => {
      told.push(mutation)
    })
    expect([told.length, await left()]).toEqual([3, []])
  })
})
