import { randomUUID } from 'node:crypto'
import { beforeEach, expect, it, vi } from 'vitest'
import { LIMITS } from '../../protocol/index.ts'
import { servers } from '../../testing/postgres/servers.ts'
import { ORG_A } from '../../testing/push/push-app.ts'
import { usePushFixture } from '../../testing/push/push-fixture.ts'
import { deleteOf, insertOf, shortOf, TestClient, updateOf } from '../../testing/push/test-client.ts'

const TASK = 'public.task'

const fixture = usePushFixture(servers().system)
let client: TestClient
let id: string
beforeEach(async () => {
  vi.spyOn(console, 'warn').mockImplementation(() => {})
  vi.spyOn(console, 'error').mockImplementation(() => {})
  client = new TestClient(fixture.send)
  id = await fixture.task()
  await fixture.database.query('INSERT INTO public.tally (id, org_id) VALUES ($1, $2)', [id, ORG_A])
})
const count = async () => Number((await fixture.row('tally', id))?.count)
const stored = () =>
  fixture.database.query('SELECT counter::text, status FROM tidemark.mutation WHERE client_id = $1 ORDER BY counter', [
    client.id,
  ])

/** Does the given work and holds the row in a transaction of its own, until it may go on. */
async function holding(table: string, statement = 'SELECT 1'): Promise<() => Promise<void>> {
  const holder = await fixture.owned.open()
  await holder.query('SET search_path = public')
  await holder.query('BEGIN')
  await holder.query(`SELECT FROM public.${table} WHERE id::text = $1 FOR UPDATE`, [id])
  return async () => {
    await holder.query(statement)
    await holder.query('COMMIT')
    await holder.close()
  }
}

it('OUT-02 PSH-R1 the same mutation twice at once is applied once, and both are answered alike', async () => {
  const release = await holding('tally')
  const bump = client.action('bump', { id })
  const pushes = [client.decide(bump), client.decide(bump)]
  await fixture.untilWaiting(2)
  await release()
  expect(await Promise.all(pushes)).toEqual([['committed'], ['committed']])
  expect(await count()).toBe(1)
  expect(await stored()).toEqual([{ counter: '1', status: 'committed' }])
})

it('OUT-02 PSH-R1 a connection that dies before or after the commit: applied once, same answer', async () => {
  const release = await holding('tally')
  const bump = client.action('bump', { id })
  const push = client.decide(bump)
  await fixture.untilWaiting(1)
  await fixture.database.query(
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'tidemark push'`,
  )
  await fixture.untilWaiting(1)
  await release()
  expect(await push).toEqual(['committed'])
  // The answer was lost: asked again.
  expect(await client.decide(bump)).toEqual(['committed'])
  expect(await count()).toBe(1)
})

it('OUT-03 OUT-26 FLD-92 PSH-R2 what is settled is never done again, however late it comes and though its outcome is gone', async () => {
  const ahead = '2027-11-26T00:00:00.000Z'
  client.counter = 100
  const first = client.action('bump', { id }, { at: ahead })
  const second = client.action('bump', { id: 'no such' })
  const third = client.patch([updateOf(TASK, id, { title: ['x', 'not this'] })])
  expect(await client.decide(first, second, third)).toMatchObject(['committed', 'committed', { kind: 'conflict' }])
  client.acknowledged = 103
  expect(await client.decide(client.action('bump', { id }))).toEqual(['committed'])
  expect(await stored()).toEqual([{ counter: '104', status: 'committed' }])
  expect(await client.decide(first, second, third)).toMatchObject(Array(3).fill({ kind: 'outcome-unknown' }))
  // An older acknowledgement takes nothing back.
  client.acknowledged = 0
  expect(await client.decide(first)).toMatchObject([{ kind: 'outcome-unknown' }])
  expect(await count()).toBe(2)
  expect(await stored()).toEqual([{ counter: '104', status: 'committed' }])
  // So few are not pruned, because pruning is a commit of its own.
  client.acknowledged = 104
  expect(await client.decide(client.action('bump', { id }))).toEqual(['committed'])
  expect(await stored()).toHaveLength(2)
})

it('OUT-26 PSH-R2 an acknowledgement waits for whoever still does one of its mutations', async () => {
  const release = await holding('tally')
  client.counter = 100
  const bump = client.action('bump', { id })
  const slow = client.decide(bump)
  await fixture.untilWaiting(1)
  const next = new TestClient(fixture.send, client.author, client.id)
  next.acknowledged = 101
  const settling = next.decide()
  await fixture.untilWaiting(2)
  await release()
  expect(await slow).toEqual(['committed'])
  await settling
  expect(await client.decide(bump)).toMatchObject([{ kind: 'outcome-unknown' }])
  expect([await count(), await stored()]).toEqual([1, []])
})

it('OUT-27 PSH-R1 a duplicate that races a rejection: both get the stored answer', async () => {
  const release = await holding('task', `UPDATE public.task SET title = 'theirs' WHERE id = '${id}'`)
  const patch = client.patch([updateOf(TASK, id, { title: ['mine', 'one'] })])
  const pushes = [client.decide(patch), client.decide(patch)]
  await fixture.untilWaiting(2)
  await release()
  const [first, second] = await Promise.all(pushes)
  expect(first).toMatchObject([{ kind: 'conflict', row: { title: 'theirs' } }])
  expect(second).toEqual(first)
  // The stored outcome is the answer, whatever has become possible since.
  await fixture.database.query(`UPDATE public.task SET title = 'one' WHERE id = $1`, [id])
  expect(await client.decide(patch)).toEqual(first)
  expect(await stored()).toEqual([{ counter: '1', status: 'rejected' }])
})

it('SEC-04 PSH-R1 another mutation under a taken number is refused, and nothing is stored of it', async () => {
  const first = client.action('bump', { id })
  expect(await client.decide(first)).toEqual(['committed'])
  const copy = { ...first, args: { id: 'other' } }
  expect(await client.decide(copy)).toMatchObject([{ kind: 'id-taken' }])
  expect(await client.decide(first)).toEqual(['committed'])
  const malformed = { counter: 1, kind: 'nonsense' }
  expect(await client.decide(malformed)).toMatchObject([{ kind: 'id-taken' }])
  expect(await count()).toBe(1)
})

it('OUT-06 PSH-R3 a rejection in the middle: what is independent lands, what builds on it falls', async () => {
  const parent = randomUUID()
  const settled = await client.decide(
    client.patch([updateOf(TASK, id, { points: ['2', '1.00'] })]),
    client.patch([insertOf(TASK, { id: parent, org_id: ORG_A, title: 'forbidden', state: 'open' })]),
    client.patch(
      [insertOf(TASK, { id: randomUUID(), org_id: ORG_A, title: 'child', state: 'open', parent_id: parent })],
      {
        after: [2],
      },
    ),
    client.patch([updateOf(TASK, id, { title: ['two', 'one'] })]),
    client.patch([updateOf(TASK, id, { title: ['three', { m: 4 }] })], { after: [1, 4] }),
    client.patch([updateOf(TASK, parent, { title: ['x', { m: 2 }] })], { after: [3] }),
  )
  expect(settled).toMatchObject([
    'committed',
    { kind: 'forbidden' },
    { kind: 'dependency', on: 2 },
    'committed',
    'committed',
    { kind: 'dependency', on: 3 },
  ])
  expect(await fixture.row('task', id)).toMatchObject({ title: 'three', points: '2.00' })
  // In a later push the decided ones are looked up; one that was never decided is as good as rejected.
  const later = await client.decide(
    client.patch([updateOf(TASK, id, { points: ['3', { m: 1 }] })], { after: [1] }),
    client.patch([deleteOf(TASK, id)], { after: [2] }),
  )
  expect(later).toMatchObject(['committed', { kind: 'dependency', on: 2 }])
  expect(await client.decide(client.patch([deleteOf(TASK, id)], { after: [77] }))).toMatchObject([
    { kind: 'dependency', on: 77 },
  ])
  client.acknowledged = 110
  client.counter = 200
  expect(await client.decide(client.patch([deleteOf(TASK, id)], { after: [5] }))).toEqual(['committed'])
})

it('OUT-04 PSH-R1 PSH-R3 patches that go together are a transaction each; one that was rejected before still takes along what builds on it', async () => {
  const made = Array.from({ length: 5 }, () =>
    client.patch([insertOf(TASK, { id: randomUUID(), org_id: ORG_A, title: 'made', state: 'open', points: '1' })]),
  )
  const conflict = client.patch([updateOf(TASK, id, { title: ['mine', 'not this'] })])
  // Its answer is lost, and with it the rest of the push.
  await client.decide(...made, conflict)
  const building = client.patch([updateOf(TASK, id, { points: ['2', '1.00'] })], { after: [conflict.counter] })
  const others = [
    client.patch([updateOf(TASK, id, { state: ['done', 'open'] })]),
    client.patch([updateOf(TASK, id, { state: ['open', 'done'] })]),
    client.patch([updateOf(TASK, id, { state: ['done', 'open'] })]),
  ]
  const settled = await client.decide(...made, conflict, building, ...others)
  expect(settled).toMatchObject([
    ...made.map(() => 'committed'),
    { kind: 'conflict' },
    { kind: 'dependency', on: conflict.counter },
    ...others.map(() => 'committed'),
  ])
  expect(await fixture.row('task', id)).toMatchObject({ title: 'one', points: '1.00', state: 'done' })
  const [row] = await fixture.database.query(
    'SELECT count(DISTINCT transaction_id)::text AS transactions FROM tidemark.mutation WHERE client_id = $1',
    [client.id],
  )
  expect(row?.transactions).toBe('10')
})

it('OUT-18 PSH-R9 what passes is tried again, and answered as `retry` where it does not pass soon', async () => {
  // Raised as a serialization failure twice, then no more.
  expect(await client.decide(client.patch([updateOf(TASK, id, { title: ['patient', 'one'] })]))).toEqual(['committed'])
  const answer = await client.push([
    client.patch([updateOf(TASK, id, { points: ['2', '1.00'] })]),
    client.patch([updateOf(TASK, id, { title: ['busy', 'patient'] })]),
    client.patch([updateOf(TASK, id, { points: ['3', '2'] })]),
  ])
  expect(answer.outcomes.map(shortOf)).toEqual(['committed'])
  expect(answer.retry).toMatchObject({ afterMs: expect.any(Number) })
  expect((await stored()).map((row) => row.counter)).toEqual(['1', '2'])
  expect(await fixture.row('task', id)).toMatchObject({ title: 'patient', points: '2.00' })
})

it('OUT-18 PSH-R9 a deadlock ends in a commit', async () => {
  const second = await fixture.task()
  const other = await fixture.owned.open()
  await other.query('SET search_path = public')
  await other.query('BEGIN')
  await other.query(`UPDATE public.task SET points = 7 WHERE id = $1`, [second])
  const push = client.decide(
    client.patch([updateOf(TASK, id, { title: ['two', 'one'] }), updateOf(TASK, second, { state: ['done', 'open'] })]),
  )
  await fixture.untilWaiting(1)
  // One of the two is the victim.
  const mine = other.query(`UPDATE public.task SET points = 7 WHERE id = $1`, [id]).catch(() => [])
  await mine
  await other.query('COMMIT')
  await other.close()
  expect(await push).toEqual(['committed'])
  expect(await fixture.row('task', second)).toMatchObject({ state: 'done' })
})

it('OUT-18 PSH-R9 a schema that is not the definition’s is nobody’s rejection', async () => {
  await fixture.database.query('ALTER TABLE public.page RENAME COLUMN body TO text')
  const page = client.patch([insertOf('public.page', { id: randomUUID(), org_id: ORG_A, body: 'x', tags: null })])
  const answer = await client.push([page])
  expect(answer).toMatchObject({ outcomes: [], retry: { afterMs: expect.any(Number) } })
  await fixture.database.query('ALTER TABLE public.page RENAME COLUMN text TO body')
  expect(await client.decide(page)).toEqual(['committed'])
})

it('OUT-19 PSH-R10 what is too large or malformed is refused by itself, and the others proceed', async () => {
  const large = client.patch([
    updateOf(TASK, id, { detail: [JSON.stringify('x'.repeat(LIMITS.mutationChars)), 'null'] }),
  ])
  const rows = Array.from({ length: LIMITS.mutationRows + 1 }, () => deleteOf(TASK, randomUUID()))
  const long = client.patch(rows)
  const odd = { counter: client.patch([]).counter, kind: 'odd' }
  const nul = client.patch([updateOf(TASK, id, { title: ['a\0b', 'one'] })])
  const half = client.patch([updateOf(TASK, id, { title: ['\ud800', 'one'] })])
  const settled = await client.decide(
    large,
    long,
    odd,
    nul,
    half,
    client.patch([updateOf(TASK, id, { title: ['two', 'one'] })]),
  )
  expect(settled.map((one) => (one === 'committed' ? one : one.kind))).toEqual([
    'limit-exceeded',
    'limit-exceeded',
    'invalid',
    'invalid',
    'invalid',
    'committed',
  ])
  expect(await client.decide(odd)).toMatchObject([{ kind: 'invalid' }])
  const many = Array.from({ length: LIMITS.pushMutations + 1 }, () => client.action('bump', { id }))
  await expect(client.push(many)).rejects.toMatchObject({ kind: 'limit-exceeded' })
  const unordered = [client.action('bump', { id }), client.action('bump', { id })].reverse()
  await expect(client.push(unordered)).rejects.toMatchObject({ kind: 'bad-input' })
  await expect(client.push([{ kind: 'patch' }])).rejects.toMatchObject({ kind: 'bad-input' })
  await expect(fixture.send({ protocol: 1 }, client.author)).rejects.toMatchObject({ kind: 'upgrade-required' })
  await expect(fixture.send('nonsense', client.author)).rejects.toMatchObject({ kind: 'bad-input' })
  expect(await count()).toBe(0)
})
