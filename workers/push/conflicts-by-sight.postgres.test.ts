import { randomUUID } from 'node:crypto'
import { pgTable, text, uuid } from 'drizzle-orm/pg-core'
import { beforeAll, describe, expect, it } from 'vitest'
import { defineSync, table } from '../../db/index.ts'
import { servers } from '../../testing/postgres/servers.ts'
import { ORG_A } from '../../testing/push/push-app.ts'
import { usePushFixture } from '../../testing/push/push-fixture.ts'
import { insertOf, TestClient, updateOf } from '../../testing/push/test-client.ts'

const COLUMNS = {
  plain: 'text',
  name: 'text COLLATE public.ci',
  names: 'text[] COLLATE public.ci',
  label: 'public.label',
  code: 'char(4)',
  span: 'interval',
  spans: 'interval[]',
  ratio: 'double precision',
  price: 'numeric',
  prices: 'numeric[]',
  cost: 'public.cost',
  detail: 'jsonb',
  raw: 'json',
  raws: 'json[]',
  fact: 'public.fact',
  facts: 'public.fact[]',
  place: 'point',
  frame: 'box',
  range: 'numrange',
  ranges: 'int4multirange',
  words: 'tsvector',
  address: 'inet',
  mood: 'public.mood',
  moods: 'public.mood[]',
  mask: 'bit(3)',
  at: 'timestamptz',
  path: 'jsonpath',
} as const
type Name = keyof typeof COLUMNS

const names = Object.keys(COLUMNS) as Name[]
const thing = pgTable('thing', {
  id: uuid('id'),
  orgId: uuid('org_id'),
  ...Object.fromEntries(names.map((name) => [name, text(name)])),
})
const sync = defineSync({
  tables: { thing: table(thing, { audience: { column: thing.orgId, prefix: 'org' }, write: 'all' }) },
})
const schema = `
  CREATE COLLATION public.ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
  --> statement-breakpoint
  CREATE TYPE public.mood AS ENUM ('fine', 'low');
  --> statement-breakpoint
  CREATE DOMAIN public.fact AS json;
  --> statement-breakpoint
  CREATE DOMAIN public.label AS text COLLATE public.ci;
  --> statement-breakpoint
  CREATE DOMAIN public.cost AS numeric(8,2);
  --> statement-breakpoint
  CREATE TABLE public.thing (id uuid PRIMARY KEY, org_id uuid NOT NULL,
    ${names.map((name) => `"${name}" ${COLUMNS[name]}`).join(', ')});
  --> statement-breakpoint
  ALTER TABLE public.thing ENABLE ROW LEVEL SECURITY;
  --> statement-breakpoint
  CREATE POLICY org ON public.thing TO tidemark_client USING (org_id = ANY ((SELECT tidemark.audience_values('org'))::uuid[]))`

const THING = 'public.thing'

describe.each(['system', 'embedded'] as const)('on the %s server', (server) => {
  const fixture = usePushFixture(servers()[server], { schema, sync })
  let client: TestClient
  beforeAll(() => {
    client = new TestClient(fixture.send)
  })

  async function holding(values: Partial<Record<Name, string>>): Promise<string> {
    const id = randomUUID()
    const row = { id, org_id: ORG_A, ...values }
    const columns = Object.keys(row).map((name) => `"${name}"`)
    const types: Record<string, string> = COLUMNS
    const parameters = Object.keys(row).map((name, index) => {
      return `$${index + 1}::text::${(types[name] ?? 'uuid').replace(/ COLLATE .*/, '')}`
    })
    await fixture.database.query(
      `INSERT INTO public.thing (${columns.join()}) VALUES (${parameters.join()})`,
      Object.values(row),
    )
    return id
  }

  /** Changes a column in which the author saw `seen` and which by now holds `held`. */
  async function change(name: Name, seen: string, held: string, value: string): Promise<string> {
    const id = await holding({ [name]: held })
    const [outcome] = await client.decide(client.patch([updateOf(THING, id, { [name]: [value, seen] })]))
    return outcome === 'committed' || outcome === undefined ? 'committed' : outcome.kind
  }

  it.each<[Name, string, string, string]>([
    ['plain', 'anna', 'ANNA', 'Anne'],
    ['plain', 'a', 'a ', 'b'],
    ['name', 'anna', 'ANNA', 'Anne'],
    ['name', 'anna', 'zoe', 'Anne'],
    // The new value is not there yet either.
    ['name', 'zoe', 'anne', 'Anne'],
    ['names', '{anna}', '{ANNA}', '{Anne}'],
    ['label', 'anna', 'ANNA', 'Anne'],
    ['span', '1 day', '24:00:00', '1 mon'],
    ['spans', '{"1 mon"}', '{"30 days"}', '{}'],
    ['ratio', '0', '-0', '1'],
    ['detail', '{"a": 1.0}', '{"a": 1.00}', '{}'],
    ['raw', '{"a":1,"a":2}', '{"a":3,"a":2}', '{}'],
    ['raw', String.raw`{"a":"\u0000"}`, String.raw`{"a":"\u0001"}`, '{}'],
    ['raws', '{1,2}', '{{1},{2}}', '{}'],
    ['facts', '{1}', '{2}', '{}'],
    ['place', '(1,2)', '(1.0000001,2)', '(0,0)'],
    ['frame', '(1,1),(0,0)', '(2,2),(1,1)', '(9,9),(0,0)'],
    ['range', '[1.0,2]', '[1.00,2]', 'empty'],
    ['words', "'a':1", "'a':2", ''],
    ['moods', '{fine}', '{low}', '{}'],
    ['path', '$."a"', '$."b"', '$'],
  ])('FLD-74 PSH-R23 %s: where %s was seen, %s is a conflict', async (name, seen, held, value) => {
    expect(await change(name, seen, held, value)).toBe('conflict')
    expect(await change(name, held, held, value)).toBe('committed')
  })

  it.each<[Name, string, string, string]>([
    ['price', '1.0', '1.00', '2'],
    ['prices', '{1.0}', '{1.00}', '{}'],
    ['cost', '1.5', '1.50', '2'],
    ['detail', '{"b":1,"a":2}', '{"a": 2, "b": 1}', '{}'],
    ['raw', '{"b":1,"a":":\\""}', '{"a" : ":\\"", "b": 1}', '{}'],
    ['raws', '{"{\\"b\\":1,\\"a\\":2}",NULL}', '{"{\\"a\\": 2, \\"b\\":1}",NULL}', '{}'],
    ['fact', '{"b":1,"a":2}', '{"a":2,"b" : 1}', '{}'],
    ['facts', '{"[1,2]"}', '{"[1, 2]"}', '{}'],
    ['code', 'ab', 'ab  ', 'cd'],
    ['at', '2026-01-01 14:00:00+02', '2026-01-01 12:00:00+00', '2026-01-02 12:00:00+00'],
    ['address', '10.0.0.1/32', '10.0.0.1', '10.0.0.2'],
    ['ranges', '{[1,2]}', '{[1,3)}', '{}'],
    ['mood', 'fine', 'fine', 'low'],
    ['mask', '101', '101', '110'],
  ])('FLD-75 PSH-R23 %s: %s and %s are no different to the eye', async (name, seen, held, value) => {
    expect(await change(name, seen, held, value)).toBe('committed')
  })

  it.each<[Name, string]>([
    ['raw', String.raw`{"a":"\u0000"}`],
    ['raw', String.raw`{"a":"\ud800"}`],
    ['raw', '{"a":1e400000}'],
    ['raw', `[${'1'.repeat(140_000)}]`],
    ['raws', String.raw`{"{\"a\":\"\\u0000\"}"}`],
    ['fact', String.raw`{"a":"\u0000"}`],
    ['facts', String.raw`{"{\"a\":1e400000}"}`],
  ])('FLD-76 PSH-R23 %s: what no other type could hold is mended, case %$', async (name, held) => {
    const [next, other] = name.endsWith('s') ? ['{"{\\"a\\":\\"fixed\\"}"}', '{1}'] : ['{"a":"fixed"}', '[1]']
    const id = await holding({ [name]: held })
    const stale = client.patch([updateOf(THING, id, { [name]: [next, other] })])
    expect(await client.decide(stale)).toMatchObject([{ kind: 'conflict', row: { [name]: held } }])
    expect(await client.decide(client.patch([updateOf(THING, id, { [name]: [next, held] })]))).toEqual(['committed'])
    expect(await fixture.row('thing', id)).toMatchObject({ [name]: next })
  })

  it('FLD-76 PSH-R23 what a domain no longer allows is mended', async () => {
    const id = await holding({ label: 'old', cost: '-1.00' })
    await fixture.database.query(`ALTER DOMAIN public.label ADD CONSTRAINT fresh CHECK (value <> 'old') NOT VALID`)
    const written = client.patch([updateOf(THING, id, { label: ['new', 'old'], cost: ['2', '-1'] })])
    expect(await client.decide(written)).toEqual(['committed'])
    await fixture.database.query('ALTER DOMAIN public.label DROP CONSTRAINT fresh')
  })

  it('FLD-74 PSH-R23 nothing and something differ, nothing and nothing do not', async () => {
    const id = await holding({ ratio: '1' })
    const decided = await client.decide(
      client.patch([updateOf(THING, id, { raw: ['1', null], facts: ['{1}', null], place: ['(1,1)', null] })]),
      client.patch([updateOf(THING, id, { fact: ['1', '2'] })]),
      client.patch([updateOf(THING, id, { ratio: ['2', null] })]),
    )
    expect(decided).toMatchObject(['committed', { kind: 'conflict' }, { kind: 'conflict' }])
  })

  it('FLD-74 PSH-R23 both wrote the same to the eye, or another letter', async () => {
    const id = await holding({ name: 'anna', price: '1' })
    const made = insertOf(THING, { id: randomUUID(), org_id: ORG_A, name: 'x' })
    expect(await client.decide(client.patch([made]))).toEqual(['committed'])
    await fixture.database.query(`UPDATE public.thing SET name = 'Anne', price = 2 WHERE id = $1`, [id])
    const same = client.patch([updateOf(THING, id, { name: ['Anne', 'anna'], price: ['2.0', '1'] })])
    const other = client.patch([updateOf(THING, id, { name: ['ANNE', 'anna'] })])
    expect(await client.decide(same, other)).toMatchObject(['committed', { kind: 'conflict', row: { name: 'Anne' } }])
  })
})
