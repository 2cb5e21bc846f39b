import { randomUUID } from 'node:crypto'
import { beforeEach, expect, it } from 'vitest'
import type { PatchRow } from '../../protocol/index.ts'
import { servers } from '../../testing/postgres/servers.ts'
import { ORG_A, ORG_B } from '../../testing/push/push-app.ts'
import { usePushFixture } from '../../testing/push/push-fixture.ts'
import { deleteOf, insertOf, TestClient, updateOf } from '../../testing/push/test-client.ts'

const TASK = 'public.task'

const fixture = usePushFixture(servers().system)
let client: TestClient
let id: string
beforeEach(async () => {
  client = new TestClient(fixture.send)
  id = await fixture.task()
})
const task = (key = id) => fixture.row('task', key)
const fine = (): PatchRow => insertOf(TASK, { id: randomUUID(), org_id: ORG_A, title: 'fine', state: 'open' })
/** Returns the refusal of a mutation that also does something allowed. */
async function refusal(...rows: PatchRow[]): Promise<unknown> {
  const first = fine()
  const [outcome] = await client.decide(client.patch([first, ...rows]))
  expect(await task(first.k.id ?? '')).toBeUndefined()
  return outcome
}

it('SEC-02 SEC-03 PSH-R4 what is not open to its author refuses the whole mutation, by one answer', async () => {
  const foreign = await fixture.task({ org_id: ORG_B })
  const attempts: PatchRow[] = [
    insertOf('public.absent', { id: 'x' }),
    insertOf('tidemark.client', { id: 'x', user_id: 'ann' }),
    insertOf('tidemark.mutation', { id: 'x' }),
    insertOf('pg_catalog.pg_authid', { id: 'x' }),
    insertOf('public.notice', { id: randomUUID(), body: 'x' }, undefined, 'all'),
    updateOf(TASK, id, { secret: ['mine', null] }),
    updateOf(TASK, id, { nowhere: ['x', null] }),
    updateOf(TASK, id, { length: ['9', null] }),
    insertOf(TASK, { id: randomUUID(), org_id: ORG_A, title: 'x', state: 'open', secret: 'y' }),
    insertOf(TASK, { id: randomUUID(), org_id: ORG_B, title: 'x', state: 'open' }, undefined, `org:${ORG_B}`),
    insertOf(TASK, { id: randomUUID(), org_id: ORG_B, title: 'x', state: 'open' }, undefined, `org:${ORG_A}`),
    insertOf(TASK, { id: randomUUID(), org_id: null, title: 'x', state: 'open' }),
    insertOf(TASK, { id: randomUUID(), org_id: ORG_A, title: 'x', state: 'open' }, undefined, 'all'),
    updateOf(TASK, foreign, { title: ['x', 'one'] }, `org:${ORG_B}`),
    updateOf(TASK, randomUUID(), { title: ['x', 'one'] }, `org:${ORG_B}`),
    deleteOf(TASK, foreign, `org:${ORG_B}`),
    deleteOf(TASK, id, 'all'),
  ]
  const answers = new Set<string>()
  for (const row of attempts) answers.add(JSON.stringify(await refusal(row)))
  expect([...answers].map((text) => JSON.parse(text))).toEqual([{ kind: 'forbidden', message: expect.any(String) }])
  // Named by its key under the author's own audience, a foreign row counts as absent.
  expect(await refusal(updateOf(TASK, foreign, { title: ['x', 'one'] }))).toMatchObject({ kind: 'missing-row' })
  expect(await client.decide(client.patch([deleteOf(TASK, foreign)]))).toEqual(['committed'])
  expect(await task(foreign)).toMatchObject({ title: 'one' })
})

it('SEC-03 PSH-R4 a patch that is not well formed is refused whole', async () => {
  const row = { id, org_id: ORG_A, title: 'x', state: 'open' }
  const attempts: PatchRow[] = [
    updateOf(TASK, id, { org_id: [ORG_B, ORG_A] }),
    updateOf(TASK, id, { id: [randomUUID(), id] }),
    updateOf(TASK, id, {}),
    { ...updateOf(TASK, id, { title: ['x', 'one'] }), b: {} } as PatchRow,
    { ...updateOf(TASK, id, { title: ['x', 'one'] }), b: { state: { v: 'open' } } } as PatchRow,
    { ...updateOf(TASK, id, { title: ['x', 'one'] }), k: { id, org_id: ORG_A } },
    { ...updateOf(TASK, id, { title: ['x', 'one'] }), k: {} },
    { ...updateOf(TASK, id, { title: ['x', 'one'] }), k: { id: null } },
    updateOf(TASK, 'no uuid', { title: ['x', 'one'] }),
    { ...insertOf(TASK, row), k: { id: randomUUID() } },
    insertOf(TASK, { ...row, id: randomUUID() }, ['title']),
    insertOf(TASK, { ...row, id: randomUUID(), number: '7' }, ['number']),
    insertOf(TASK, { ...row, id: randomUUID() }, ['number']),
    insertOf(TASK, { ...row, id: randomUUID(), number: '7' }),
    insertOf(TASK, { ...row, id: randomUUID(), points: 'many' }),
  ]
  for (const one of attempts) expect(await refusal(one)).toMatchObject({ kind: 'invalid' })
  const twice = updateOf(TASK, id, { title: ['x', 'one'] })
  expect(await refusal(twice, twice)).toMatchObject({ kind: 'invalid' })
  expect(await refusal(insertOf(TASK, row), deleteOf(TASK, id))).toMatchObject({ kind: 'invalid' })
})

it('SEC-04 PSH-R2 another’s client id is refused: no answer leaks, no number is taken', async () => {
  const first = client.patch([updateOf(TASK, id, { title: ['two', 'one'] })])
  expect(await client.decide(first)).toEqual(['committed'])
  const thief = new TestClient(fixture.send, { userId: 'eve', audiences: [`org:${ORG_A}`] }, client.id)
  await expect(thief.decide(first)).rejects.toMatchObject({ kind: 'forbidden' })
  thief.acknowledged = 100
  await expect(thief.decide(client.patch([deleteOf(TASK, id)]))).rejects.toMatchObject({ kind: 'forbidden' })
  expect(await client.decide(client.patch([updateOf(TASK, id, { title: ['three', 'two'] })]))).toEqual(['committed'])
  const never = new TestClient(fixture.send, { userId: 'eve', audiences: [`org:${ORG_A}`] })
  expect(await never.decide(never.patch([updateOf(TASK, id, { title: ['four', 'three'] })]))).toEqual(['committed'])
})

it('SEC-05 PSH-R4 SQL in names, values, arguments and audiences is only text; __proto__ is no column', async () => {
  const evil = `x'); DROP TABLE public.task; --`
  const quoted = `a" = 'b', "title`
  const rows: PatchRow[] = [
    updateOf(`public.task"; DROP TABLE public.task; --`, id, { title: ['x', 'one'] }),
    updateOf(TASK, id, { [quoted]: ['x', 'one'] }),
    updateOf(TASK, id, JSON.parse('{"__proto__": ["x", "one"], "constructor": ["x", null]}')),
    updateOf('__proto__', id, { title: ['x', 'one'] }),
  ]
  for (const row of rows) expect(await refusal(row)).toMatchObject({ kind: 'forbidden' })
  const odd = `org:${evil}`
  const stranger = new TestClient(fixture.send, { userId: evil, audiences: [odd, `org:${ORG_A}`, `org:{"}`] })
  expect(await stranger.decide(stranger.patch([updateOf(TASK, id, { title: ['x', 'one'] }, odd)]))).toEqual([
    'committed',
  ])
  expect(await stranger.decide(stranger.patch([updateOf(TASK, id, { title: [evil, 'x'] })]))).toMatchObject([
    'committed',
  ])
  expect(await stranger.decide(stranger.action('bump', { id: evil }))).toEqual(['committed'])
  const own = JSON.parse(`{"counter": 9, "__proto__": {"kind": "patch"}, "kind": "action"}`)
  expect(await stranger.decide(own)).toMatchObject([{ kind: 'invalid' }])
  expect(await task()).toMatchObject({ title: evil })
})

it('SEC-06 PSH-R8 what a trigger raises is refused without its text', async () => {
  const [rejection] = await client.decide(client.patch([updateOf(TASK, id, { title: ['boom', 'one'] })]))
  expect(rejection).toEqual({ kind: 'refused', code: 'P0001', message: expect.any(String) })
  expect(JSON.stringify(rejection)).not.toContain('hidden-')
})

it('SEC-08 PSH-R8 row-level security refuses inserts, updates and deletes by type', async () => {
  const kept = await fixture.task({ title: 'kept' })
  const sealed = await fixture.task({ title: 'sealed' })
  const settled = await client.decide(
    client.patch([insertOf(TASK, { id: randomUUID(), org_id: ORG_A, title: 'forbidden', state: 'open' })]),
    client.patch([updateOf(TASK, id, { title: ['forbidden', 'one'] })]),
    client.patch([updateOf(TASK, sealed, { points: ['2', '1.00'] })]),
    client.patch([deleteOf(TASK, kept)]),
    client.patch([deleteOf(TASK, id), deleteOf(TASK, kept)]),
  )
  for (const rejection of settled) expect(rejection).toMatchObject({ kind: 'forbidden' })
  expect(settled[3]).toMatchObject({ table: TASK, key: { id: kept } })
  expect([await task(), await task(kept), await task(sealed)]).toMatchObject([
    { title: 'one' },
    { title: 'kept' },
    { points: '1.00' },
  ])
})

it('SEC-08 PSH-R8 policies read who it is: user, audiences and claims, inside the transaction alone', async () => {
  await fixture.database.query(
    `CREATE POLICY own ON public.page AS RESTRICTIVE TO tidemark_client USING (true)
     WITH CHECK (body = tidemark.user_id() AND (current_setting('request.jwt.claims')::json->>'sub') = body)`,
  )
  const page = (body: string) => insertOf('public.page', { id: randomUUID(), org_id: ORG_A, body, tags: null })
  const settled = await client.decide(client.patch([page('ann')]), client.patch([page('bob')]))
  expect(settled).toMatchObject(['committed', { kind: 'forbidden' }])
  await fixture.database.query('DROP POLICY own ON public.page')
})
