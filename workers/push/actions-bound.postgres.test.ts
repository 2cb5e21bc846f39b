import { randomUUID } from 'node:crypto'
import { beforeAll, beforeEach, expect, it, vi } from 'vitest'
import type { ActionSql } from '../../db/index.ts'
import type { PushedMutation, Rejection } from '../../protocol/index.ts'
import { servers } from '../../testing/postgres/servers.ts'
import { ORG_A } from '../../testing/push/push-app.ts'
import { usePushFixture } from '../../testing/push/push-fixture.ts'
import { insertOf, shortOf, TestClient } from '../../testing/push/test-client.ts'

/** Functions of the app that do what its actions may not. */
const SETUP = `
  CREATE FUNCTION public.leave_role() RETURNS void LANGUAGE plpgsql AS $$ BEGIN SET LOCAL ROLE NONE; END $$;
  CREATE FUNCTION public.sleepy() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN SET statement_timeout = 0; PERFORM pg_sleep(600); RETURN NULL; END $$;
  CREATE PROCEDURE public.commit_it() LANGUAGE plpgsql AS $$ BEGIN COMMIT; END $$`

const fixture = usePushFixture(servers().system)
let client: TestClient
/** The server's half of the action; each test sets its own. */
let half: (sql: ActionSql) => Promise<unknown>
beforeAll(async () => {
  await fixture.database.query(SETUP)
})
beforeEach(() => {
  client = new TestClient(
    fixture.sender({ deadlineMs: 2_000, actions: { book: async (_run, { sql }) => void (await half(sql)) } }),
  )
  vi.spyOn(console, 'warn').mockImplementation(() => {})
  vi.spyOn(console, 'error').mockImplementation(() => {})
})

const act = () => client.action('book', { org: ORG_A, amounts: [] })
const tally = () => client.patch([insertOf('public.tally', { id: randomUUID(), org_id: ORG_A, log: null })])
/** A text of the app's own, without values. */
const run = (sql: ActionSql, text: string) => sql([text] as unknown as TemplateStringsArray)
const entry = (sql: ActionSql, id: string) =>
  sql`INSERT INTO ledger (id, org_id, amount) VALUES (${id}, ${ORG_A}, ${1})`

async function untilDecided(mutations: readonly PushedMutation[]) {
  const outcomes: ('committed' | Rejection)[] = []
  let again = 0
  while (outcomes.length < mutations.length) {
    const answer = await client.push(mutations.slice(outcomes.length))
    outcomes.push(...answer.outcomes.map(shortOf))
    if (answer.retry === null) continue
    again += 1
    await fixture.database.query(`UPDATE tidemark.stuck_mutation SET since = since - interval '1 minute'`)
  }
  return { outcomes, again }
}

/** Sessions of pushes that are in a transaction. */
const leftOpen = () =>
  fixture.database.query(`SELECT pid::text, state FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = 'tidemark push' AND xact_start IS NOT NULL`)

it.each([
  'SET LOCAL ROLE NONE',
  'RESET ROLE',
  'SET SESSION AUTHORIZATION DEFAULT',
  'SET LOCAL statement_timeout = 0',
  'RESET ALL',
  'DISCARD TEMP',
  'COMMIT',
  'ROLLBACK',
  'BEGIN',
  'SAVEPOINT here',
  'DO $$ BEGIN SET LOCAL ROLE NONE; END $$',
  '/* one /* two */ */ -- three\n reset role',
  'SELECT 1; SELECT 2',
  'CALL public.commit_it()',
  'SELECT public.leave_role()',
  `SELECT set_config('role', 'none', true)`,
  `SELECT set_config('tidemark.user_id', 'bob', true)`,
  `WITH one AS (SELECT set_config('tidemark.audiences', '[]', false)) SELECT * FROM one`,
  `SELECT set_config('request.jwt.claims', '{}', true)`,
  `SELECT set_config('statement_timeout', '0', true)`,
])('FLD-70 PSH-R18 an action that does `%s` is refused, caught or not, and nothing of it stays', async (text) => {
  const [before, after] = [randomUUID(), randomUUID()]
  half = async (sql) => {
    await entry(sql, before)
    await run(sql, text).catch(() => [])
    await entry(sql, after)
  }
  const mutations = [tally(), act(), tally()]
  expect(await client.decide(...mutations)).toMatchObject(['committed', { kind: 'invalid' }, 'committed'])
  for (const id of [before, after]) expect(await fixture.row('ledger', id)).toBeUndefined()
  const [stored] = await fixture.database.query(
    'SELECT count(*)::text AS count FROM tidemark.mutation WHERE client_id = $1',
    [client.id],
  )
  expect(stored?.count).toBe('3')
})

it('FLD-70 PSH-R18 what reads and writes rows goes on: CTEs, locks, temporary tables, own settings, deferred constraints', async () => {
  const id = randomUUID()
  half = async (sql) => {
    expect(await run(sql, `/* it */ (SELECT 1::numeric(3,1) AS one)`)).toEqual([{ one: '1.0' }])
    expect(await run(sql, 'VALUES (1), (2)')).toEqual([{ column1: '1' }, { column1: '2' }])
    await run(sql, 'CREATE TEMP TABLE mine (a int) ON COMMIT DROP')
    await run(sql, `SELECT set_config('app.reason', 'test', true)`)
    await run(sql, 'SET CONSTRAINTS ALL DEFERRED')
    await run(sql, 'LOCK TABLE mine')
    await sql`WITH made AS (INSERT INTO ledger (id, org_id, amount) VALUES (${id}, ${ORG_A}, ${1}) RETURNING id) SELECT id FROM made`
    expect(await sql`UPDATE ledger SET amount = amount + ${1} WHERE id = ${id} RETURNING amount`).toEqual([
      { amount: '2' },
    ])
  }
  expect(await client.decide(act())).toEqual(['committed'])
  expect(await fixture.row('ledger', id)).toMatchObject({ amount: '2' })
})

it.each([
  [
    'short statements without end',
    async (sql: ActionSql): Promise<unknown> => {
      for (;;) await sql`SELECT 1`
    },
  ],
  ['one statement that takes too long', (sql: ActionSql) => sql`SELECT pg_sleep(600)`],
  ['waiting for what never comes', (sql: ActionSql) => sql`SELECT 1`.then(() => new Promise(() => {}))],
])('FLD-71 PSH-R19 an action of %s ends with the push, and is refused in the end', async (_name, endless) => {
  half = endless
  const first = act()
  expect(await client.push([first])).toMatchObject({ outcomes: [], retry: {} })
  expect(await leftOpen()).toEqual([])
  const { outcomes, again } = await untilDecided([first, tally()])
  expect(outcomes).toMatchObject([{ kind: 'limit-exceeded' }, 'committed'])
  // Once for the second try, once for what came after the third.
  expect(again).toBe(2)
  expect(await leftOpen()).toEqual([])
})

it('FLD-72 PSH-R19 so do patches in one round trip, of which one lifts the limits of its statements and never ends', async () => {
  await fixture.database.query(
    'CREATE TRIGGER sleepy AFTER INSERT ON public.page FOR EACH ROW EXECUTE FUNCTION public.sleepy()',
  )
  const page = client.patch.bind(client, [
    insertOf('public.page', { id: randomUUID(), org_id: ORG_A, body: 'x', tags: null }),
  ])
  const mutations = [tally(), tally(), page(), tally()]
  const { outcomes } = await untilDecided(mutations)
  expect(outcomes).toMatchObject(['committed', 'committed', { kind: 'limit-exceeded' }, 'committed'])
  expect(await leftOpen()).toEqual([])
  await fixture.database.query('DROP TRIGGER sleepy ON public.page')
})
