import { randomUUID } from 'node:crypto'
import { boolean, date, integer, pgTable, text, uuid } from 'drizzle-orm/pg-core'
import { beforeAll, describe, expect, it } from 'vitest'
import { defineSync, table } from '../../db/index.ts'
import type { PatchRow } from '../../protocol/index.ts'
import { servers } from '../../testing/postgres/servers.ts'
import { ORG_A } from '../../testing/push/push-app.ts'
import { usePushFixture } from '../../testing/push/push-fixture.ts'
import { deleteOf, insertOf, TestClient, updateOf } from '../../testing/push/test-client.ts'

const task = pgTable('task', { id: uuid('id'), orgId: uuid('org_id'), slug: text('slug'), title: text('title') })
const seat = pgTable('seat', { id: uuid('id'), orgId: uuid('org_id'), row: integer('row'), place: integer('place') })
const name = pgTable('name', { id: uuid('id'), orgId: uuid('org_id'), name: text('name'), gone: boolean('gone') })
const stay = pgTable('stay', { id: uuid('id'), orgId: uuid('org_id'), during: text('during'), on: date('on') })
const code = pgTable('code', { id: uuid('id'), orgId: uuid('org_id'), code: text('code'), note: text('note') })
const part = pgTable('part', { id: uuid('id'), orgId: uuid('org_id'), taskId: uuid('task_id'), rank: integer('rank') })
const all = { task, seat, name, stay, code, part }
const sync = defineSync({
  tables: Object.fromEntries(
    Object.entries(all).map(([key, one]) => [
      key,
      table(one, {
        audience: { column: one.orgId, prefix: 'org' },
        write: 'all',
        ...(key === 'seat' ? { conflict: 'last-write-wins' as const } : {}),
        ...(key === 'code' ? { hidden: ['secret'] } : {}),
      }),
    ]),
  ),
})
const schema = [
  'CREATE TABLE public.task (id uuid PRIMARY KEY, org_id uuid NOT NULL, slug text NOT NULL UNIQUE, title text)',
  `CREATE TABLE public.seat (id uuid PRIMARY KEY, org_id uuid NOT NULL, row int NOT NULL,
    place smallint NOT NULL CHECK (place > 0), UNIQUE (row, place))`,
  'CREATE TABLE public.name (id uuid PRIMARY KEY, org_id uuid NOT NULL, name text, gone boolean NOT NULL DEFAULT false)',
  'CREATE UNIQUE INDEX name_alive ON public.name (org_id, lower(name)) WHERE NOT gone',
  `CREATE TABLE public.stay (id uuid PRIMARY KEY, org_id uuid NOT NULL, during int4range NOT NULL, "on" date NOT NULL UNIQUE,
    EXCLUDE USING gist (during WITH &&))`,
  'CREATE DOMAIN public.plate AS varchar(6)',
  `CREATE TABLE public.code (id uuid PRIMARY KEY, org_id uuid NOT NULL, code public.plate NOT NULL CHECK (code ~ '^[A-Z]{3}-[0-9]+$'),
    note text, secret text, UNIQUE (code, secret) , UNIQUE NULLS NOT DISTINCT (note))`,
  `CREATE TABLE public.part (id uuid PRIMARY KEY, org_id uuid NOT NULL, task_id uuid NOT NULL REFERENCES public.task ON DELETE CASCADE,
    rank int CHECK (rank BETWEEN 1 AND 3), UNIQUE (task_id, rank)) PARTITION BY HASH (task_id)`
    .replace('id uuid PRIMARY KEY', 'id uuid')
    .replace('UNIQUE (task_id, rank)', 'PRIMARY KEY (id, task_id), UNIQUE (task_id, rank)'),
  'CREATE TABLE public.part_0 PARTITION OF public.part FOR VALUES WITH (MODULUS 1, REMAINDER 0)',
  ...Object.keys(all).flatMap((one) => [
    `ALTER TABLE public.${one} ENABLE ROW LEVEL SECURITY`,
    `CREATE POLICY org ON public.${one} TO tidemark_client USING (org_id = ANY ((SELECT tidemark.audience_values('org'))::uuid[]))`,
  ]),
].join(';\n--> statement-breakpoint\n')

const TASK = 'public.task'

describe.each(['system', 'embedded'] as const)('on the %s server', (server) => {
  const fixture = usePushFixture(servers()[server], { schema, sync })
  let client: TestClient
  beforeAll(() => {
    client = new TestClient(fixture.send)
  })

  async function made(of: string, values: Record<string, string>): Promise<string> {
    const id = randomUUID()
    const row = { id, org_id: ORG_A, ...values }
    await fixture.database.query(
      `INSERT INTO public.${of} SELECT * FROM json_populate_record(NULL::public.${of}, $1::json)`,
      [JSON.stringify({ gone: false, ...row })],
    )
    return id
  }
  const tasks = (...slugs: string[]) => Promise.all(slugs.map((slug) => made('task', { slug, title: 'one' })))
  const push = (...rows: PatchRow[]) => client.decide(client.patch(rows))
  const column = (of: string, ids: readonly string[], name: string) =>
    Promise.all(ids.map(async (id) => (await fixture.row(of, id))?.[name]))

  it('FLD-77 PSH-R24 two rows exchange a unique value, among other changes or alone', async () => {
    const [a = '', b = ''] = await tasks('swap-1', 'swap-2')
    expect(
      await push(updateOf(TASK, a, { slug: ['swap-2', 'swap-1'] }), updateOf(TASK, b, { slug: ['swap-1', 'swap-2'] })),
    ).toEqual(['committed'])
    expect(await column('task', [a, b], 'slug')).toEqual(['swap-2', 'swap-1'])
    expect(
      await push(
        updateOf(TASK, a, { slug: ['swap-1', { m: 1 }], title: ['two', 'one'] }),
        updateOf(TASK, b, { slug: ['swap-2', { m: 1 }] }),
      ),
    ).toEqual(['committed'])
    expect(await column('task', [a, b], 'slug')).toEqual(['swap-1', 'swap-2'])
    expect(await column('task', [a, b], 'title')).toEqual(['two', 'one'])
  })

  it('FLD-78 PSH-R24 rings, chains in any order, and values freed by deletes and taken by inserts', async () => {
    const ids = await tasks('r1', 'r2', 'r3', 'r4')
    const slugs = ['r1', 'r2', 'r3', 'r4']
    const turned = ids.map((id, index) =>
      updateOf(TASK, id, { slug: [slugs[(index + 1) % 4] ?? '', slugs[index] ?? ''] }),
    )
    expect(await push(...turned)).toEqual(['committed'])
    expect(await column('task', ids, 'slug')).toEqual(['r2', 'r3', 'r4', 'r1'])
    const [a = '', b = '', c = '', d = ''] = ids
    // Rows that take a value come before those that leave it: a → new, b → a's, an insert → b's, c → deleted d's.
    const key = randomUUID()
    expect(
      await push(
        insertOf(TASK, { id: key, org_id: ORG_A, slug: 'r3', title: 'new' }),
        updateOf(TASK, b, { slug: ['r2', 'r3'] }),
        updateOf(TASK, a, { slug: ['r9', 'r2'] }),
        updateOf(TASK, c, { slug: ['r1', 'r4'] }),
        deleteOf(TASK, d),
      ),
    ).toEqual(['committed'])
    expect(await column('task', [key, a, b, c, d], 'slug')).toEqual(['r3', 'r9', 'r2', 'r1', undefined])
  })

  it('FLD-78 PSH-R24 two hundred rows move by one place, in one statement or not', async () => {
    const ids = await Promise.all(
      Array.from({ length: 200 }, (_, index) => made('seat', { row: '7', place: `${index + 1}` })),
    )
    const up = ids.map((id, index) => updateOf('public.seat', id, { place: [`${index + 2}`, `${index + 1}`] }))
    expect(await push(...up)).toEqual(['committed'])
    const ring = ids.map((id, index) =>
      updateOf('public.seat', id, { place: [`${((index + 1) % 200) + 2}`, `${index + 2}`] }),
    )
    expect(await push(...ring.reverse())).toEqual(['committed'])
    expect(await column('seat', ids.slice(-2), 'place')).toEqual(['201', '2'])
  })

  it('FLD-79 PSH-R24 of several columns, where checks, lengths and NOT NULL leave little room, and of partitions', async () => {
    const seats = await Promise.all([made('seat', { row: '1', place: '1' }), made('seat', { row: '1', place: '2' })])
    const [a = '', b = ''] = seats
    expect(
      await push(
        updateOf('public.seat', a, { place: ['2', '1'] }),
        updateOf('public.seat', b, { place: ['1', '2'], row: ['1', '1'] }),
      ),
    ).toEqual(['committed'])
    expect(await column('seat', seats, 'place')).toEqual(['2', '1'])
    const codes = [
      await made('code', { code: 'ABC-1', secret: 'x', note: 'n1' }),
      await made('code', { code: 'ABC-2', secret: 'x', note: 'n2' }),
    ]
    const [c = '', d = ''] = codes
    expect(
      await push(
        updateOf('public.code', c, { code: ['ABC-2', 'ABC-1'], note: ['n2', 'n1'] }),
        updateOf('public.code', d, { code: ['ABC-1', 'ABC-2'], note: ['n1', 'n2'] }),
      ),
    ).toEqual(['committed'])
    expect(await column('code', codes, 'code')).toEqual(['ABC-2', 'ABC-1'])
    expect(await column('code', codes, 'note')).toEqual(['n2', 'n1'])
    const [of = ''] = await tasks('of')
    const parts = [await made('part', { task_id: of, rank: '1' }), await made('part', { task_id: of, rank: '2' })]
    const ranked = (id: string, to: string, from: string): PatchRow => ({
      ...updateOf('public.part', id, { rank: [to, from] }),
      k: { id, task_id: of },
    })
    expect(await push(ranked(parts[0] ?? '', '2', '1'), ranked(parts[1] ?? '', '1', '2'))).toEqual(['committed'])
    expect(await column('part', parts, 'rank')).toEqual(['2', '1'])
  })

  it('FLD-80 PSH-R24 of an index over an expression of some rows, of an exclusion, and of whole rows whose keys changed places', async () => {
    const NAME = 'public.name'
    const names = [await made('name', { name: 'One' }), await made('name', { name: 'Two' })]
    const [a = '', b = ''] = names
    expect(
      await push(updateOf(NAME, a, { name: ['two', 'One'] }), updateOf(NAME, b, { name: ['ONE', 'Two'] })),
    ).toEqual(['committed'])
    // Taken while the row that has the value still counts for the index.
    expect(await push(updateOf(NAME, a, { name: ['one', 'two'] }), updateOf(NAME, b, { gone: ['t', 'f'] }))).toEqual([
      'committed',
    ])
    expect(await column('name', names, 'name')).toEqual(['one', 'ONE'])
    const stays = [
      await made('stay', { during: '[1,5)', on: '2026-01-01' }),
      await made('stay', { during: '[5,9)', on: '2026-01-02' }),
    ]
    const [c = '', d = ''] = stays
    const moved = await push(
      updateOf('public.stay', c, { during: ['[5,9)', '[1,5)'], on: ['2026-01-02', '2026-01-01'] }),
      updateOf('public.stay', d, { during: ['[1,5)', '[5,9)'], on: ['2026-01-01', '2026-01-02'] }),
    )
    expect(moved).toEqual(['committed'])
    expect(await column('stay', stays, 'during')).toEqual(['[5,9)', '[1,5)'])
    const whole = await tasks('k1', 'k2')
    const [e = '', f = ''] = whole
    const exchanged = await push(
      deleteOf(TASK, e),
      deleteOf(TASK, f),
      insertOf(TASK, { id: e, org_id: ORG_A, slug: 'k2', title: 'two' }),
      insertOf(TASK, { id: f, org_id: ORG_A, slug: 'k1', title: null }),
    )
    expect(exchanged).toEqual(['committed'])
    expect(await column('task', whole, 'slug')).toEqual(['k2', 'k1'])
  })

  it('FLD-81 PSH-R24 what is in conflict, gone, or truly taken is refused as ever, and nothing of it is left', async () => {
    const [a = '', b = '', c = ''] = await tasks('t1', 't2', 't3')
    const swap = (title: string) => [
      updateOf(TASK, a, { slug: ['t2', 't1'], title: ['mine', title] }),
      updateOf(TASK, b, { slug: ['t1', 't2'] }),
    ]
    expect(await push(...swap('stale'))).toMatchObject([{ kind: 'conflict', columns: ['title'], row: { slug: 't1' } }])
    expect(await push(...swap('one').reverse(), updateOf(TASK, c, { slug: ['swap-1', 't3'] }))).toMatchObject([
      { kind: 'constraint', constraint: 'task_slug_key', columns: ['slug'] },
    ])
    await fixture.database.query('UPDATE public.task SET org_id = gen_random_uuid() WHERE id = $1', [b])
    expect(await push(...swap('one'))).toMatchObject([{ kind: 'constraint' }])
    expect(await column('task', [a, b, c], 'slug')).toEqual(['t1', 't2', 't3'])
  })
})
