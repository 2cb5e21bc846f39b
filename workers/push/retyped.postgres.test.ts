import { randomUUID } from 'node:crypto'
import { pgTable, text, uuid } from 'drizzle-orm/pg-core'
import { beforeEach, expect, it } from 'vitest'
import { applyDefinition } from '../../db/definition/apply-definition.ts'
import { readStart } from '../../db/definition/transaction-start.ts'
import { defineSync, table } from '../../db/index.ts'
import type { Retype } from '../../protocol/index.ts'
import { servers } from '../../testing/postgres/servers.ts'
import { ORG_A } from '../../testing/push/push-app.ts'
import { usePushFixture } from '../../testing/push/push-fixture.ts'
import { TestClient, updateOf } from '../../testing/push/test-client.ts'

const bill = pgTable('bill', {
  id: uuid('id').primaryKey(),
  org: uuid('org_id'),
  amount: text('amount'),
  size: text('size'),
})
const sync = defineSync({
  tables: { bill: table(bill, { audience: { column: bill.org, prefix: 'org' }, write: 'all', conflict: 'reject' }) },
})
const fixture = usePushFixture(servers().system, {
  sync,
  schema: `
    CREATE TABLE public.bill (id uuid PRIMARY KEY, org_id uuid NOT NULL, amount int, size text);
    --> statement-breakpoint
    CREATE FUNCTION public.even() RETURNS trigger LANGUAGE plpgsql AS
      $$ BEGIN NEW.amount := NEW.amount / 2 * 2; RETURN NEW; END $$;
    --> statement-breakpoint
    CREATE TRIGGER even BEFORE UPDATE OF amount ON public.bill FOR EACH ROW EXECUTE FUNCTION public.even()`,
})
const CENTS: Retype = { column: 'amount', from: 'integer', to: 'bigint', expression: '((amount * 100))::bigint' }
const EUROS: Retype = { column: 'amount', from: 'bigint', to: 'integer', expression: '((amount / 100))::integer' }
const NUMBERS: Retype = { column: 'size', from: 'text', to: 'integer', expression: '(size)::integer' }

let client: TestClient
let id: string
beforeEach(async () => {
  client = new TestClient(fixture.send)
  id = randomUUID()
  await fixture.database.query(`INSERT INTO public.bill VALUES ($1::uuid, $2::uuid, 4, '7')`, [id, ORG_A])
})

async function patch(changes: Parameters<typeof updateOf>[2]) {
  const [row] = await fixture.database.query('SELECT max(version)::text AS version FROM tidemark.sync_definition')
  return client.patch([updateOf('public.bill', id, changes)], { version: Number(row?.version) })
}

/** Gives a column another type, as `tidemark migrate` does where it knows, or does not know, by which expression. */
async function retype({ column, to, expression }: Retype, told: readonly Retype[] | null): Promise<void> {
  await fixture.database.transaction(async ({ query }) => {
    const start = await readStart(query)
    await query('DROP TRIGGER IF EXISTS even ON public.bill')
    await query(`ALTER TABLE public.bill ALTER ${column} TYPE ${to} USING ${expression}`)
    await query(
      'CREATE TRIGGER even BEFORE UPDATE OF amount ON public.bill FOR EACH ROW EXECUTE FUNCTION public.even()',
    )
    const [place] = await query(
      `SELECT attrelid::text AS relation, attnum::text AS number FROM pg_attribute WHERE attrelid = 'public.bill'::regclass AND attname = $1`,
      [column],
    )
    const retyped = new Map([[place?.relation ?? '', new Map([[Number(place?.number), told]])]])
    await applyDefinition(query, sync, { start: { ...start, retyped } })
  })
}

it('FLD-140 PSH-R29 values and bases from before a retype come to be what its expression makes of them', async () => {
  const first = await patch({ amount: ['7', '4'] })
  expect(await client.decide(first)).toEqual(['committed'])
  const onFirst = await patch({ amount: ['8', { m: first.counter }] })
  const onValue = await patch({ amount: ['10', '8'], size: ['8', '7'] })
  await retype(CENTS, [CENTS])
  // What the first left is what a trigger made of it, and is read in cents as well.
  expect(await client.decide(onFirst)).toEqual(['committed'])
  expect(await fixture.row('bill', id)).toMatchObject({ amount: '800' })
  expect(await client.decide(onValue)).toEqual(['committed'])
  expect(await fixture.row('bill', id)).toMatchObject({ amount: '1000', size: '8' })
  // One that saw another value than stood there is in conflict still.
  const late = await patch({ amount: ['3', '2'] })
  await retype(EUROS, [EUROS])
  expect(await client.decide(late)).toMatchObject([{ kind: 'conflict' }])
})

it('FLD-141 PSH-R29 what cannot be said in the new type is refused with its column, and others go on', async () => {
  const unread = await patch({ size: ['large', '7'] })
  const based = await patch({ size: ['9', 'large'] })
  const read = await patch({ size: ['8', '7'] })
  await retype(NUMBERS, [NUMBERS])
  const refused = { kind: 'outdated-schema', table: 'public.bill', columns: ['size'] }
  expect(await client.decide(unread, based, read)).toMatchObject([refused, refused, 'committed'])
  expect(await fixture.row('bill', id)).toMatchObject({ size: '8' })
  // Two versions on, of which one is not known.
  const lost = await patch({ amount: ['6', '4'] })
  const kept = await patch({ size: ['9', '8'] })
  await retype(CENTS, null)
  await retype(EUROS, [EUROS])
  expect(await client.decide(lost, kept)).toMatchObject([{ ...refused, columns: ['amount'] }, 'committed'])
  expect(await fixture.row('bill', id)).toMatchObject({ amount: '4', size: '9' })
})
