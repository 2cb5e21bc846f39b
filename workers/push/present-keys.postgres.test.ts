import { randomUUID } from 'node:crypto'
import { beforeAll, expect, it } from 'vitest'
import { servers } from '../../testing/postgres/servers.ts'
import { ORG_A, ORG_B } from '../../testing/push/push-app.ts'
import { usePushFixture } from '../../testing/push/push-fixture.ts'
import { insertOf, TestClient, updateOf } from '../../testing/push/test-client.ts'

const [TASK, TALLY, PAGE] = ['public.task', 'public.tally', 'public.page']

const fixture = usePushFixture(servers().system)
let client: TestClient
beforeAll(() => {
  client = new TestClient(fixture.send)
})

it('FLD-84 PSH-R25 a row that another made first is theirs where the policy refuses: said with the row as it is', async () => {
  const id = await fixture.task()
  const made = (more: Record<string, string>) =>
    client.patch([insertOf(TASK, { id, org_id: ORG_A, title: 'one', state: 'open', ...more })])
  expect(await client.decide(made({ title: 'mine' }))).toMatchObject([
    { kind: 'conflict', table: TASK, key: { id }, columns: ['title'], row: { title: 'one', slug: `slug-${id}` } },
  ])
  // Nobody loses anything, because both made the same row.
  expect(await client.decide(made({}))).toEqual(['committed'])
  expect(await fixture.row('task', id)).toMatchObject({ title: 'one', secret: `hidden-${id}` })
})

it('FLD-84 PSH-R25 what arrives later stands where the policy says so, among rows that are new', async () => {
  const [there, fresh] = [randomUUID(), randomUUID()]
  await fixture.database.query(`INSERT INTO public.tally (id, org_id, count, log) VALUES ($1, $2, 7, 'x')`, [
    there,
    ORG_A,
  ])
  const rows = [fresh, there].map((id) => insertOf(TALLY, { id, org_id: ORG_A, log: 'mine' }))
  expect(await client.decide(client.patch(rows))).toEqual(['committed'])
  expect(await fixture.row('tally', there)).toMatchObject({ count: '7', log: 'mine' })
  expect(await fixture.row('tally', fresh)).toMatchObject({ count: '0', log: 'mine' })
  // A later edit builds on what is there.
  const edit = client.patch([updateOf(TALLY, there, { log: ['more', { m: client.counter }] })])
  expect(await client.decide(edit)).toEqual(['committed'])
})

it('FLD-84 PSH-R25 a resolver is asked for the columns that differ', async () => {
  const id = randomUUID()
  await fixture.database.query(`INSERT INTO public.page (id, org_id, body, tags) VALUES ($1, $2, 'theirs', 't')`, [
    id,
    ORG_A,
  ])
  const made = client.patch([insertOf(PAGE, { id, org_id: ORG_A, body: 'mine', tags: 't' })])
  expect(await client.decide(made)).toEqual(['committed'])
  expect(await fixture.row('page', id)).toMatchObject({ body: 'theirs + mine', tags: 't' })
})

it('FLD-85 PSH-R25 a key of a row that its author does not see, and any other unique value, is a constraint as ever', async () => {
  const foreign = await fixture.task({ org_id: ORG_B })
  const other = await fixture.task()
  const made = (id: string, more: Record<string, string> = {}) =>
    client.patch([insertOf(TASK, { id, org_id: ORG_A, title: 'x', state: 'open', ...more })])
  const [unseen, taken] = await client.decide(made(foreign), made(randomUUID(), { slug: `slug-${other}` }))
  expect(unseen).toMatchObject({ kind: 'constraint', constraint: 'task_pkey' })
  expect(unseen).not.toHaveProperty('row')
  expect(taken).toMatchObject({ kind: 'constraint', constraint: 'task_slug_key' })
  expect(await fixture.row('task', foreign)).toMatchObject({ org_id: ORG_B, title: 'one' })
})
