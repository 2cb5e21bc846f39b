import { randomUUID } from 'node:crypto'
import { pgTable, text, uuid } from 'drizzle-orm/pg-core'
import { beforeEach, expect, it, vi } from 'vitest'
import { applyDefinition } from '../../db/definition/apply-definition.ts'
import { readStart } from '../../db/definition/transaction-start.ts'
import { type ConflictPolicy, defineSync, type Sync, table } from '../../db/index.ts'
import { servers } from '../../testing/postgres/servers.ts'
import { ORG_A } from '../../testing/push/push-app.ts'
import { usePushFixture } from '../../testing/push/push-fixture.ts'
import { TestClient, updateOf } from '../../testing/push/test-client.ts'

const NOTE = 'public.note'
const CARD = 'public.card'
const columns = { id: uuid('id').primaryKey(), org: uuid('org_id'), tag: text('tag') }

/** Two tables that differ in what becomes of a conflict, their columns as they are or under other names. */
function syncOf<Texts extends Record<string, ReturnType<typeof text>>>(texts: Texts): Sync {
  const synced = (name: string, conflict: ConflictPolicy) => {
    const columnsOf = pgTable(name, { ...columns, ...texts })
    return table(columnsOf, { audience: { column: columnsOf.org, prefix: 'org' }, write: 'all', conflict })
  }
  return defineSync({ tables: { note: synced('note', 'last-write-wins'), card: synced('card', 'reject') } })
}
const before = syncOf({ title: text('title'), body: text('body') })
const renamed = syncOf({ label: text('label'), body: text('body') })

const fixture = usePushFixture(servers().system, {
  sync: before,
  schema: `
    CREATE TABLE public.note (id uuid PRIMARY KEY, org_id uuid NOT NULL, tag varchar(3), title text, body text);
    --> statement-breakpoint
    CREATE TABLE public.card (LIKE public.note INCLUDING ALL);
    --> statement-breakpoint
    CREATE FUNCTION public.upper_body() RETURNS trigger LANGUAGE plpgsql AS
      $$ BEGIN NEW.body := upper(NEW.body); RETURN NEW; END $$;
    --> statement-breakpoint
    CREATE TRIGGER upper_body BEFORE UPDATE OF body ON public.card FOR EACH ROW EXECUTE FUNCTION public.upper_body()`,
})

let client: TestClient
let id: string
beforeEach(async () => {
  vi.spyOn(console, 'warn').mockImplementation(() => {})
  client = new TestClient(fixture.send)
  id = randomUUID()
  for (const name of ['note', 'card']) {
    const row = `INSERT INTO public.${name} VALUES ($1::uuid, $2::uuid, 'tag', 'title', 'body')`
    await fixture.database.query(row, [id, ORG_A])
  }
})
const note = () => fixture.row('note', id)
async function versionNow(): Promise<number> {
  const [row] = await fixture.database.query('SELECT max(version)::text AS version FROM tidemark.sync_definition')
  return Number(row?.version)
}
const patch = async (changes: Parameters<typeof updateOf>[2], table = NOTE) =>
  client.patch([updateOf(table, id, changes)], { version: await versionNow() })

/** Runs a migration up to its commit, which the answer is for. */
async function migrating(statements: string, sync: Sync): Promise<() => Promise<void>> {
  const other = await fixture.owned.open()
  await other.query('BEGIN')
  const start = await readStart(other.query)
  await other.query(statements)
  await applyDefinition(other.query, sync, { start })
  return async () => {
    await other.query('COMMIT')
    await other.close()
  }
}
async function migrate(statements: string, sync: Sync): Promise<void> {
  const commit = await migrating(statements, sync)
  await commit()
}
const EXCHANGE = `ALTER TABLE public.note RENAME title TO aside;
  ALTER TABLE public.note RENAME body TO title; ALTER TABLE public.note RENAME aside TO body`

it('FLD-137 PSH-R27 a patch that waits for a migration which exchanges names writes no other column', async () => {
  const mutation = await patch({ title: ['mine', 'title'] })
  const commit = await migrating(EXCHANGE, before)
  const push = client.push([mutation])
  await fixture.untilWaiting(1)
  await commit()
  expect(await push).toMatchObject({ outcomes: [], retry: { afterMs: 0 } })
  expect(await note()).toMatchObject({ title: 'body', body: 'title' })
  expect(await client.decide(mutation)).toEqual(['committed'])
  expect(await note()).toMatchObject({ title: 'body', body: 'mine' })
  await migrate(EXCHANGE, before)
})

it('FLD-137 PSH-R27 nor is it refused for what the migration made of its columns', async () => {
  const mutation = await patch({ title: ['longer than a tag', 'title'] })
  const exchange = `ALTER TABLE public.note RENAME title TO aside;
    ALTER TABLE public.note RENAME tag TO title; ALTER TABLE public.note RENAME aside TO tag`
  const commit = await migrating(exchange, before)
  const push = client.push([mutation])
  await fixture.untilWaiting(1)
  await commit()
  expect(await push).toMatchObject({ outcomes: [], retry: { afterMs: 0 } })
  expect(await client.decide(mutation)).toEqual(['committed'])
  expect(await note()).toMatchObject({ tag: 'longer than a tag', title: 'tag' })
  await migrate(exchange, before)
})

const RENAME = ['note', 'card'].map((name) => `ALTER TABLE public.${name} RENAME title TO label`).join(';')
const RENAME_BACK = ['note', 'card'].map((name) => `ALTER TABLE public.${name} RENAME label TO title`).join(';')

it('FLD-138 PSH-R28 an edit on top of one that was committed or refused before a rename has its basis', async () => {
  const first = await patch({ title: ['one', 'title'], body: ['one', 'body'] }, CARD)
  const fallen = await patch({ title: ['never', { m: first.counter }], tag: ['mine', 'another'] }, CARD)
  const onFirst = await patch({ body: ['two', { m: first.counter }] }, CARD)
  const onFallen = await patch({ title: ['two', { m: fallen.counter }] }, CARD)
  expect(await client.decide(first, fallen)).toMatchObject(['committed', { kind: 'conflict' }])
  await migrate(RENAME, renamed)
  expect(await client.decide(onFirst)).toEqual(['committed'])
  expect(await client.decide(onFallen)).toEqual(['committed'])
  expect(await fixture.row('card', id)).toMatchObject({ label: 'two', body: 'TWO' })
  const known = await fixture.database.query(
    `SELECT version::text, predicted::text FROM tidemark.mutation WHERE client_id = $1 AND counter = $2::bigint`,
    [client.id, onFallen.counter],
  )
  expect(known).toMatchObject([{ version: String(await versionNow()), predicted: expect.stringContaining('label') }])
  await migrate(RENAME_BACK, before)
})
