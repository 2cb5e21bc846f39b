import { randomUUID } from 'node:crypto'
import { beforeAll, beforeEach, expect, it, vi } from 'vitest'
import type { PushedMutation, Rejection } from '../../protocol/index.ts'
import { servers } from '../../testing/postgres/servers.ts'
import { ORG_A } from '../../testing/push/push-app.ts'
import { usePushFixture } from '../../testing/push/push-fixture.ts'
import { insertOf, shortOf, TestClient } from '../../testing/push/test-client.ts'

const SETUP = `
  CREATE SCHEMA extensions;
  CREATE FUNCTION extensions.ext_uuid() RETURNS uuid LANGUAGE sql AS $$ SELECT gen_random_uuid() $$;
  CREATE TABLE audit_log (id uuid, what text);
  CREATE SEQUENCE numbers;
  CREATE DOMAIN opaque AS json;
  CREATE FUNCTION audit() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
  BEGIN INSERT INTO audit_log VALUES (ext_uuid(), TG_TABLE_NAME); RETURN NULL; END $$;
  CREATE FUNCTION audit_elsewhere() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
  BEGIN INSERT INTO nowhere VALUES (TG_TABLE_NAME); RETURN NULL; END $$;
  CREATE FUNCTION number_it() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN PERFORM nextval('numbers'); RETURN NULL; END $$;
  CREATE FUNCTION note_it() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN INSERT INTO audit_log VALUES (NULL, TG_TABLE_NAME); RETURN NULL; END $$;
  CREATE FUNCTION raise_it() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN RAISE EXCEPTION 'no' USING ERRCODE = TG_ARGV[0]; END $$;
  CREATE FUNCTION refuse_later() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN PERFORM missing_function(); RETURN NULL; END $$`

const fixture = usePushFixture(servers().system)
let client: TestClient
beforeAll(async () => {
  await fixture.database.query(SETUP)
})
beforeEach(async () => {
  client = new TestClient(fixture.send)
  vi.spyOn(console, 'warn').mockImplementation(() => {})
  vi.spyOn(console, 'error').mockImplementation(() => {})
  await fixture.database.query('DROP TRIGGER IF EXISTS failing ON public.page')
})

const trigger = (calls: string) =>
  fixture.database.query(`CREATE TRIGGER failing AFTER INSERT ON public.page FOR EACH ROW EXECUTE FUNCTION ${calls}`)
const page = (body = 'x') =>
  client.patch([insertOf('public.page', { id: randomUUID(), org_id: ORG_A, body, tags: null })])
const tally = () => client.patch([insertOf('public.tally', { id: randomUUID(), org_id: ORG_A, log: null })])

/** Ages the tries made until now by this much. */
const age = (by: string) =>
  fixture.database.query('UPDATE tidemark.stuck_mutation SET since = since - $1::interval', [by])

/** Pushes as a replica does, until nothing is left; returns the outcomes, and how often the answer was `again`. */
async function untilDecided(mutations: readonly PushedMutation[], aged = '10 seconds') {
  const outcomes: ('committed' | Rejection)[] = []
  let again = 0
  while (outcomes.length < mutations.length) {
    const answer = await client.push(mutations.slice(outcomes.length))
    outcomes.push(...answer.outcomes.map(shortOf))
    if (answer.retry === null) continue
    again += 1
    await age(aged)
  }
  return { outcomes, again }
}

it('FLD-64 PSH-R15 a trigger that always fails is refused with its SQLSTATE after a few tries, and what is behind it goes on', async () => {
  await trigger('audit()')
  const { outcomes, again } = await untilDecided([tally(), page(), tally()])
  expect(outcomes).toMatchObject(['committed', { kind: 'refused', code: '42883' }, 'committed'])
  expect(again).toBe(2)
})

it('FLD-64 PSH-R15 so is one whose body names a table that is not there, and one that fails when constraints are checked', async () => {
  await trigger('audit_elsewhere()')
  expect((await untilDecided([page(), tally()])).outcomes).toMatchObject([
    { kind: 'refused', code: '42P01' },
    'committed',
  ])
  await fixture.database.query(`DROP TRIGGER failing ON public.page; CREATE CONSTRAINT TRIGGER failing AFTER INSERT ON public.page
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse_later()`)
  expect((await untilDecided([page(), tally()])).outcomes).toMatchObject([
    { kind: 'refused', code: '42883' },
    'committed',
  ])
})

it.each([
  '42P01',
  '42704',
  '42883',
  '57014',
  '57P01',
  '08006',
  '53100',
  '53300',
  '58030',
  '25006',
  'XX000',
  '0A000',
  'F0000',
])('FLD-65 PSH-R15 what the app raises as %s is its word: refused at once', async (code) => {
  await trigger(`raise_it('${code}')`)
  const { outcomes, again } = await untilDecided([tally(), page(), tally()])
  expect(outcomes).toMatchObject(['committed', { kind: 'refused', code }, 'committed'])
  expect(again).toBe(0)
})

it.each(['40001', '40P01', '55P03'])(
  'FLD-65 PSH-R15 raised as %s it asks for another try, and gets a few',
  async (code) => {
    await trigger(`raise_it('${code}')`)
    const { outcomes, again } = await untilDecided([page(), tally()])
    expect(outcomes).toMatchObject([{ kind: 'refused', code }, 'committed'])
    expect(again).toBe(2)
  },
)

it('FLD-66 PSH-R15 tries count for one mutation, whoever sends it; time alone and tries alone refuse nothing', async () => {
  await trigger('audit()')
  const stuck = page()
  for (let tried = 0; tried < 4; tried += 1) expect((await client.push([stuck])).retry).not.toBeNull()
  await age('1 hour')
  await fixture.database.query('DROP TRIGGER failing ON public.page')
  expect(await client.decide(stuck)).toEqual(['committed'])
  await trigger('audit()')
  const next = page()
  expect((await client.push([next])).retry).not.toBeNull()
  await age('1 hour')
  expect((await client.push([next])).retry).not.toBeNull()
  // Two pushes that race both count, and get the same answer.
  const answers = await Promise.all([client.decide(next), client.decide(next)])
  expect(answers).toMatchObject([[{ code: '42883' }], [{ code: '42883' }]])
  const kept = 'SELECT count(*)::text AS kept FROM tidemark.stuck_mutation WHERE client_id = $1'
  expect(await fixture.database.query(kept, [client.id])).toEqual([{ kept: '1' }])
  client.acknowledged = client.counter
  expect(await client.decide(tally())).toEqual(['committed'])
  expect(await fixture.database.query(kept, [client.id])).toEqual([{ kept: '0' }])
})

it('FLD-67 PSH-R16 a right that is lacking to a sequence, a function or a table of a trigger does not read like somebody else’s row', async () => {
  await trigger('number_it()')
  const lacking = { kind: 'refused', code: '42501', message: expect.stringContaining('tidemark doctor') }
  expect((await untilDecided([page(), tally()])).outcomes).toMatchObject([lacking, 'committed'])
  expect(vi.mocked(console.warn).mock.calls.flat().join()).toContain('numbers')
  await fixture.database.query('DROP TRIGGER failing ON public.page')
  await trigger('note_it()')
  expect((await untilDecided([page(), tally()])).outcomes).toMatchObject([lacking, 'committed'])
  await fixture.database.query('REVOKE EXECUTE ON FUNCTION public.next_slug() FROM PUBLIC')
  const task = client.patch([insertOf('public.task', { id: randomUUID(), org_id: ORG_A, title: 'a' })])
  expect(await client.decide(task, tally())).toMatchObject([lacking, 'committed'])
  await fixture.database.query('GRANT EXECUTE ON FUNCTION public.next_slug() TO PUBLIC')
  const forbidden = client.patch([insertOf('public.task', { id: randomUUID(), org_id: ORG_A, title: 'forbidden' })])
  expect(await client.decide(forbidden)).toMatchObject([{ kind: 'forbidden' }])
})

it('FLD-68 PSH-R17 while a table is not as the definition in force says, what writes it waits; not for ever', async () => {
  await fixture.database.query('ALTER TABLE public.page RENAME COLUMN tags TO labels')
  const waiting = page()
  for (let tried = 0; tried < 5; tried += 1) {
    expect(await client.push([waiting])).toMatchObject({ outcomes: [], retry: {} })
    await age('20 seconds')
  }
  await fixture.database.query('ALTER TABLE public.page RENAME COLUMN labels TO tags')
  expect(await client.decide(waiting)).toEqual(['committed'])
  await fixture.database.query('ALTER TABLE public.page RENAME TO leaf')
  const { outcomes, again } = await untilDecided([page(), tally()], '50 seconds')
  expect(outcomes).toMatchObject([{ kind: 'refused', code: '42P01' }, 'committed'])
  expect(again).toBe(3)
  await fixture.database.query('ALTER TABLE public.leaf RENAME TO page')
})

it('FLD-69 PSH-R15 a session that the server ends refuses nothing for long; a cancelled statement does sooner', async () => {
  await fixture.database.query(`CREATE FUNCTION end_it() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
    BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END $$;
    CREATE FUNCTION cancel_it() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
    BEGIN PERFORM pg_cancel_backend(pg_backend_pid()); RETURN NULL; END $$`)
  await trigger('end_it()')
  const cut = page()
  for (let tried = 0; tried < 12; tried += 1) expect((await client.push([cut])).retry).not.toBeNull()
  await age('11 minutes')
  expect(await client.decide(cut, tally())).toMatchObject([{ kind: 'refused' }, 'committed'])
  await fixture.database.query('DROP TRIGGER failing ON public.page')
  await trigger('cancel_it()')
  const { outcomes } = await untilDecided([page(), tally()])
  expect(outcomes).toMatchObject([{ kind: 'limit-exceeded', code: '57014' }, 'committed'])
})

it('FLD-139 PSH-R15 while functions of ours are missing, as between two versions of the package, no try counts', async () => {
  const rename = (from: string, to: string) => fixture.database.query(`ALTER FUNCTION tidemark.${from} RENAME TO ${to}`)
  await rename('begin_mutation', 'begun_elsewhere')
  const mutation = page()
  for (let tried = 0; tried < 4; tried += 1) {
    expect(await client.push([mutation])).toMatchObject({ outcomes: [], retry: {} })
    await age('1 hour')
  }
  await rename('begun_elsewhere', 'begin_mutation')
  expect(await client.decide(mutation)).toEqual(['committed'])
})
