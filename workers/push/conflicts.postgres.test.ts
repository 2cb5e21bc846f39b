import { randomUUID } from 'node:crypto'
import { beforeEach, describe, expect, it } from 'vitest'
import { servers } from '../../testing/postgres/servers.ts'
import { ORG_A, ORG_B } from '../../testing/push/push-app.ts'
import { usePushFixture } from '../../testing/push/push-fixture.ts'
import { deleteOf, insertOf, TestClient, updateOf } from '../../testing/push/test-client.ts'

const TASK = 'public.task'
const PAGE = 'public.page'

const fixture = usePushFixture(servers().system)
let client: TestClient
let other: TestClient
let id: string
beforeEach(async () => {
  client = new TestClient(fixture.send)
  other = new TestClient(fixture.send, { userId: 'bob', audiences: [`org:${ORG_A}`, `org:${ORG_B}`] })
  id = await fixture.task()
})
const task = () => fixture.row('task', id)

describe('fields', () => {
  it('CON-01 PSH-R6 different fields are both kept', async () => {
    expect(await other.decide(other.patch([updateOf(TASK, id, { title: ['theirs', 'one'] })]))).toEqual(['committed'])
    expect(await client.decide(client.patch([updateOf(TASK, id, { points: ['2', '1.00'] })]))).toEqual(['committed'])
    expect(await task()).toMatchObject({ title: 'theirs', points: '2.00' })
  })

  it('CON-02 SEC-06 PSH-R6 the same field is refused with the server’s row, without hidden columns', async () => {
    await other.decide(other.patch([updateOf(TASK, id, { title: ['theirs', 'one'] })]))
    const [rejection] = await client.decide(
      client.patch([updateOf(TASK, id, { title: ['mine', 'one'], state: ['done', 'open'] })]),
    )
    expect(rejection).toMatchObject({
      kind: 'conflict',
      table: TASK,
      key: { id },
      columns: ['title'],
      row: { id, org_id: ORG_A, title: 'theirs', state: 'open', points: '1.00', detail: '{"a": 1, "b": 2}' },
    })
    expect(JSON.stringify(rejection)).not.toContain('hidden-')
    expect(rejection).not.toHaveProperty('row.secret')
    // Generated columns are computed by the replica.
    expect(rejection).not.toHaveProperty('row.length')
    expect(await task()).toMatchObject({ title: 'theirs', state: 'open' })
  })

  it('CON-03 PSH-R6 last write wins', async () => {
    await fixture.database.query(`INSERT INTO public.tally (id, org_id, log) VALUES ($1, $2, 'x')`, [id, ORG_A])
    await other.decide(other.patch([updateOf('public.tally', id, { log: ['theirs', 'x'] })]))
    expect(await client.decide(client.patch([updateOf('public.tally', id, { log: ['mine', 'x'] })]))).toEqual([
      'committed',
    ])
    expect(await fixture.row('tally', id)).toMatchObject({ log: 'mine' })
  })

  it('CON-04 PSH-R6 a resolver merges; where it throws or answers nonsense the mutation is refused', async () => {
    await fixture.database.query(`INSERT INTO public.page (id, org_id, body, tags) VALUES ($1, $2, 'x', 't')`, [
      id,
      ORG_A,
    ])
    await other.decide(other.patch([updateOf(PAGE, id, { body: ['theirs', 'x'] })]))
    const decided = await client.decide(
      client.patch([updateOf(PAGE, id, { body: ['mine', 'x'], tags: ['u', 't'] })]),
      client.patch([updateOf(PAGE, id, { body: ['unmergeable', 'x'] })]),
      client.patch([updateOf(PAGE, id, { body: ['misplaced', 'x'] })]),
    )
    expect(decided).toMatchObject([
      'committed',
      { kind: 'conflict', row: { body: 'theirs + mine' } },
      { kind: 'conflict' },
    ])
    expect(await fixture.row('page', id)).toMatchObject({ body: 'theirs + mine', tags: 'u' })
    // An edit on top of what the resolver made is no conflict with oneself.
    expect(await client.decide(client.patch([updateOf(PAGE, id, { body: ['on', { m: 1 }] })]))).toEqual(['committed'])
    expect(await fixture.row('page', id)).toMatchObject({ body: 'on' })
  })

  it('CON-13 PSH-R6 an edit equal to the server’s value is accepted, whatever its basis', async () => {
    await other.decide(other.patch([updateOf(TASK, id, { title: ['same', 'one'], points: ['5', '1.00'] })]))
    expect(
      await client.decide(client.patch([updateOf(TASK, id, { title: ['same', 'one'], points: ['5.0', '1.00'] })])),
    ).toEqual(['committed'])
  })
})

describe('values', () => {
  it('CON-09 PSH-R6 are compared by their types', async () => {
    await fixture.database.query('UPDATE public.task SET state = $2 WHERE id = $1', [id, 'open'])
    const changes: Record<string, [string | null, string | null]> = {
      detail: ['{"c":3}', '{"b":2,"a":1}'],
      points: ['2', '1.0'],
      due_at: ['2026-01-02 00:00+00', '2026-01-01 14:00:00+02'],
      parent_id: [null, null],
    }
    expect(await client.decide(client.patch([updateOf(TASK, id, changes)]))).toEqual(['committed'])
    expect(await task()).toMatchObject({ detail: '{"c": 3}', points: '2.00', due_at: '2026-01-02 00:00:00+00' })
    const [nulled] = await client.decide(client.patch([updateOf(TASK, id, { points: ['3', null] })]))
    expect(nulled).toMatchObject({ kind: 'conflict', columns: ['points'] })
  })

  it('CON-09 PSH-R6 of types without equality by their text, and none is cut to a length by a cast', async () => {
    const key = randomUUID()
    const first = {
      place: '(1,2)',
      raw: '{"a":1,  "b":2}',
      code: 'ab',
      mask: '101',
      email: 'a@b',
      states: '{open,done}',
      bytes: '\\x00ff',
    }
    const SHAPE = 'public.shape'
    expect(await client.decide(client.patch([insertOf(SHAPE, { id: key, org_id: ORG_A, ...first })]))).toEqual([
      'committed',
    ])
    expect(await fixture.row('shape', key)).toMatchObject({ ...first, code: 'ab  ' })
    const bases = { ...first, raw: '{"b":2,"a":1}', code: 'ab  ' }
    const next = { place: '(3,4)', raw: '[]', code: 'abcd', mask: '111', email: 'c@d', states: '{}', bytes: '\\x01' }
    const changes = Object.fromEntries(
      Object.entries(next).map(([name, value]): [string, [string, string]] => [
        name,
        [value, bases[name as keyof typeof bases]],
      ]),
    )
    expect(await client.decide(client.patch([updateOf(SHAPE, key, changes)]))).toEqual(['committed'])
    expect(await fixture.row('shape', key)).toMatchObject(next)
    const refused = await client.decide(
      client.patch([updateOf(SHAPE, key, { code: ['abcde', 'abcd'] })]),
      client.patch([updateOf(SHAPE, key, { mask: ['1111', '111'] })]),
      client.patch([updateOf(SHAPE, key, { email: ['nobody', 'c@d'] })]),
      client.patch([updateOf(SHAPE, key, { states: ['{lost}', '{}'] })]),
      client.patch([updateOf(SHAPE, key, { place: ['(0,0)', '(9,9)'] })]),
      client.patch([updateOf(TASK, id, { title: ['x'.repeat(41), 'one'] })]),
    )
    expect(refused.map((one) => (one === 'committed' ? one : one.kind))).toEqual([
      'invalid',
      'invalid',
      'constraint',
      'invalid',
      'conflict',
      'invalid',
    ])
    expect(await fixture.row('shape', key)).toMatchObject(next)
  })
})

describe('one’s own edits', () => {
  it.each(['trim it', 'after all'])(
    'CON-05 CON-14 PSH-R5 of one field never conflict, though a trigger changed the first: %s',
    async (title) => {
      const decided = await client.decide(
        client.patch([updateOf(TASK, id, { title: [title, 'one'] })]),
        client.patch([updateOf(TASK, id, { title: ['second', { m: 1 }] })]),
      )
      expect(decided).toEqual(['committed', 'committed'])
      expect(await task()).toMatchObject({ title: 'second' })
      // In pushes of their own as well, where the basis is read from the database.
      const again = client.patch([updateOf(TASK, id, { title: [title, { m: 2 }] })])
      expect(await client.decide(again)).toEqual(['committed'])
      expect((await task())?.title).not.toBe(title)
      expect(await client.decide(client.patch([updateOf(TASK, id, { title: ['third', { m: 3 }] })]))).toEqual([
        'committed',
      ])
    },
  )

  it('CON-05 OUT-16 PSH-R5 an edit of what the server filled in of one’s own insert', async () => {
    const key = randomUUID()
    const decided = await client.decide(
      client.patch([
        insertOf(TASK, { id: key, org_id: ORG_A, title: 'x', state: 'open', slug: null, number: null }, [
          'slug',
          'number',
        ]),
      ]),
      client.patch([updateOf(TASK, key, { slug: ['own', { m: 1 }] })]),
      client.patch([updateOf(TASK, key, { slug: ['again', { m: 2 }] })]),
    )
    expect(decided).toEqual(['committed', 'committed', 'committed'])
    const row = await fixture.row('task', key)
    expect([row?.slug, Number(row?.number) > 0]).toEqual(['again', true])
  })

  it('CON-05 PSH-R5 on top of an action build on what it left, not on what it predicted', async () => {
    const predicted = [{ o: 'u' as const, t: TASK, a: `org:${ORG_A}`, k: { id }, d: { title: 'one?', state: 'done' } }]
    const decided = await client.decide(
      client.action('close', { id }, { predicted }),
      client.patch([updateOf(TASK, id, { title: ['more', { m: 1 }] })]),
    )
    expect(decided).toEqual(['committed', 'committed'])
    expect(await task()).toMatchObject({ title: 'more', state: 'done' })
  })

  it('CON-08 PSH-R5 made on top of a rejected one keep that one’s basis', async () => {
    await other.decide(other.patch([updateOf(TASK, id, { title: ['theirs', 'one'] })]))
    const mine = client.patch([updateOf(TASK, id, { title: ['mine', 'one'] })])
    const next = client.patch([updateOf(TASK, id, { title: ['mine too', { m: 1 }] })])
    expect(await client.decide(mine, next)).toMatchObject([{ kind: 'conflict' }, { kind: 'conflict' }])
    const third = client.patch([updateOf(TASK, id, { title: ['three', { m: 2 }] })])
    expect(await client.decide(third)).toMatchObject([{ kind: 'conflict', row: { title: 'theirs' } }])
    await fixture.database.query(`UPDATE public.task SET title = 'one' WHERE id = $1`, [id])
    expect(await client.decide(client.patch([updateOf(TASK, id, { title: ['four', { m: 3 }] })]))).toEqual([
      'committed',
    ])
  })

  it('CON-08 PSH-R5 whose basis nothing tells conflict, unless they change nothing', async () => {
    const unknown = client.patch([updateOf(TASK, id, { title: ['x', { m: 77 }] })])
    const equal = client.patch([updateOf(TASK, id, { title: ['one', { m: 77 }] })])
    expect(await client.decide(unknown, equal)).toMatchObject([{ kind: 'conflict' }, 'committed'])
  })
})

describe('rows', () => {
  it('CON-06 PSH-R7 update of a deleted, delete of an updated, delete of a deleted, insert of a present one', async () => {
    await other.decide(other.patch([updateOf(TASK, id, { title: ['theirs', 'one'] })]))
    expect(await client.decide(client.patch([deleteOf(TASK, id)]))).toEqual(['committed'])
    expect(await task()).toBeUndefined()
    const after = await other.decide(
      other.patch([updateOf(TASK, id, { title: ['late', 'theirs'] })]),
      other.patch([deleteOf(TASK, id)]),
    )
    expect(after).toMatchObject([{ kind: 'missing-row', table: TASK, key: { id } }, 'committed'])
    const present = await fixture.task()
    const [taken] = await client.decide(
      client.patch([insertOf(TASK, { id: present, org_id: ORG_A, title: 'x', state: 'open' })]),
    )
    expect(taken).toMatchObject({
      kind: 'conflict',
      columns: ['title'],
      table: TASK,
      key: { id: present },
      row: { title: 'one' },
    })
  })

  it('CON-07 SEC-02 PSH-R4 a row moved away is missing, and reveals nothing', async () => {
    await fixture.database.query('UPDATE public.task SET org_id = $2 WHERE id = $1', [id, ORG_B])
    const never = randomUUID()
    const outcomes = await client.decide(
      client.patch([updateOf(TASK, id, { title: ['mine', 'one'] })]),
      client.patch([updateOf(TASK, never, { title: ['mine', 'one'] })]),
      client.patch([deleteOf(TASK, id)]),
      client.patch([deleteOf(TASK, never)]),
    )
    const told = JSON.stringify(outcomes).replaceAll(id, never)
    expect(JSON.parse(told)).toMatchObject([{ kind: 'missing-row' }, { kind: 'missing-row' }, 'committed', 'committed'])
    expect(JSON.stringify(JSON.parse(told)[0])).toBe(JSON.stringify(JSON.parse(told)[1]))
    expect(await task()).toMatchObject({ org_id: ORG_B, title: 'one' })
  })

  it('CON-06 PSH-R7 a delete and an insert of one key are one update: what refers to the row stays', async () => {
    const child = await fixture.task({ parent_id: id })
    const row = { id, org_id: ORG_B, title: 'moved', state: 'done' }
    const moved = other.patch([deleteOf(TASK, id), insertOf(TASK, row, undefined, `org:${ORG_B}`)])
    expect(await other.decide(moved)).toEqual(['committed'])
    expect(await task()).toMatchObject({ ...row, secret: `hidden-${id}` })
    expect(await fixture.row('task', child)).toMatchObject({ parent_id: id })
    const gone = randomUUID()
    const back = other.patch([deleteOf(TASK, gone), insertOf(TASK, { ...row, id: gone }, undefined, `org:${ORG_B}`)])
    expect(await other.decide(back)).toEqual(['committed'])
    expect(await fixture.row('task', gone)).toMatchObject({ title: 'moved' })
  })

  it('CON-10 SEC-06 PSH-R8 a constraint is named, without values of others, and only over columns that replicas hold', async () => {
    const taken = await fixture.task({ slug: `taken-${id}` })
    const decided = await client.decide(
      client.patch([updateOf(TASK, id, { slug: [`taken-${id}`, `slug-${id}`] })]),
      client.patch([updateOf(TASK, id, { points: ['1000', '1.00'] })]),
      client.patch([updateOf(TASK, id, { parent_id: [randomUUID(), null] })]),
      client.patch([insertOf(TASK, { id: randomUUID(), org_id: ORG_A, title: null, state: 'open' })]),
      client.patch([updateOf(TASK, id, { title: ['clash', 'one'] })]),
    )
    expect(decided).toEqual([
      expect.objectContaining({ kind: 'constraint', table: TASK, constraint: 'task_slug_key', columns: ['slug'] }),
      expect.objectContaining({
        kind: 'constraint',
        table: TASK,
        constraint: 'task_points_check',
        columns: ['points'],
      }),
      expect.objectContaining({
        kind: 'constraint',
        table: TASK,
        constraint: 'task_parent_id_fkey',
        columns: ['parent_id'],
      }),
      expect.objectContaining({ kind: 'constraint', table: TASK, columns: ['title'] }),
      { kind: 'constraint', table: TASK, message: expect.any(String) },
    ])
    expect(JSON.stringify(decided)).not.toMatch(new RegExp(`${taken}|hidden-|secret`))
  })

  it('CON-06 PSH-R7 many rows of a patch go in few statements, and the one in conflict is found', async () => {
    const ids = await Promise.all([1, 2, 3].map(() => fixture.task()))
    const [first = '', second = '', third = ''] = ids
    const all = client.patch(ids.map((one) => updateOf(TASK, one, { title: ['all', 'one'] })))
    expect(await client.decide(all)).toEqual(['committed'])
    await other.decide(other.patch([updateOf(TASK, second, { title: ['theirs', 'all'] })]))
    const [rejection] = await client.decide(
      client.patch(ids.map((one) => updateOf(TASK, one, { title: ['more', 'all'] }))),
    )
    expect(rejection).toMatchObject({ kind: 'conflict', key: { id: second } })
    expect(await fixture.row('task', first)).toMatchObject({ title: 'all' })
    const mixed = client.patch([
      deleteOf(TASK, first),
      deleteOf(TASK, randomUUID()),
      updateOf(TASK, third, { title: ['more', 'all'] }),
      insertOf(TASK, { id: randomUUID(), org_id: ORG_A, title: 'new', state: 'open', parent_id: third }),
    ])
    expect(await client.decide(mixed)).toEqual(['committed'])
    expect([await fixture.row('task', first), await fixture.row('task', third)]).toMatchObject([
      undefined,
      { title: 'more' },
    ])
  })
})

it('CON-12 PSH-R6 four concurrent pushes to one row, 30 rounds: serial, none lost', async () => {
  await fixture.database.query('INSERT INTO public.tally (id, org_id) VALUES ($1, $2)', [id, ORG_A])
  const clients = [1, 2, 3, 4].map(() => new TestClient(fixture.send))
  for (let round = 1; round <= 30; round += 1) {
    const column = round % 2 === 0 ? 'title' : 'slug'
    const before = (await task())?.[column] ?? null
    const outcomes = await Promise.all(
      clients.map((one, index) =>
        one.decide(
          one.action('bump', { id }),
          one.patch([updateOf(TASK, id, { [column]: [`${round}/${index}/${id}`.slice(0, 20), before] })]),
        ),
      ),
    )
    const [winner] = outcomes.filter(([, patched]) => patched === 'committed')
    expect(outcomes.map(([bumped]) => bumped)).toEqual(['committed', 'committed', 'committed', 'committed'])
    expect(outcomes.filter(([, patched]) => patched === 'committed')).toHaveLength(1)
    expect((await task())?.[column]).toBe(`${round}/${outcomes.indexOf(winner ?? [])}/${id}`.slice(0, 20))
    expect(await fixture.row('tally', id)).toMatchObject({ count: String(4 * round) })
  }
})
