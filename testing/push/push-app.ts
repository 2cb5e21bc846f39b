import { integer, jsonb, numeric, pgTable, text, timestamp, uuid } from 'drizzle-orm/pg-core'
import { z } from 'zod'
import { action, type Conflict, defineSync, refuse, table } from '../../db/index.ts'

export const ORG_A = 'aaaaaaaa-0000-4000-8000-00000000000a'
export const ORG_B = 'bbbbbbbb-0000-4000-8000-00000000000b'

const task = pgTable('task', {
  id: uuid('id'),
  orgId: uuid('org_id'),
  parentId: uuid('parent_id'),
  title: text('title'),
  state: text('state'),
  points: numeric('points'),
  detail: jsonb('detail'),
  dueAt: timestamp('due_at', { withTimezone: true }),
  number: integer('number'),
  slug: text('slug'),
  length: integer('length'),
})
const page = pgTable('page', { id: uuid('id'), orgId: uuid('org_id'), body: text('body'), tags: text('tags') })
const tally = pgTable('tally', { id: text('id'), orgId: uuid('org_id'), count: integer('count'), log: text('log') })
const ledger = pgTable('ledger', {
  id: uuid('id'),
  orgId: uuid('org_id'),
  amount: integer('amount'),
  at: text('at'),
  by: text('by'),
})
const notice = pgTable('notice', { id: uuid('id'), body: text('body') })
const shape = pgTable('shape', {
  id: uuid('id'),
  orgId: uuid('org_id'),
  place: text('place'),
  raw: text('raw'),
  code: text('code'),
  mask: text('mask'),
  email: text('email'),
  states: text('states'),
  bytes: text('bytes'),
})
const byOrg = (
  column: typeof task.orgId | typeof page.orgId | typeof tally.orgId | typeof ledger.orgId | typeof shape.orgId,
) => ({ column, prefix: 'org' })

/** Keeps both texts; throws where the client's is `unmergeable`. */
function mergeBodies({ server, mine }: Conflict): Record<string, string | null> {
  if (mine.body === 'unmergeable') throw new Error('no way')
  if (mine.body === 'misplaced') return { tags: 'not in conflict' }
  return { body: `${server.body} + ${mine.body}` }
}

/** An app to write to: each policy, each right to write, each kind of column. */
export const pushSync = defineSync({
  tables: {
    task: table(task, { audience: byOrg(task.orgId), hidden: ['secret'], write: 'all' }),
    page: table(page, { audience: byOrg(page.orgId), write: 'all', conflict: mergeBodies }),
    tally: table(tally, { audience: byOrg(tally.orgId), write: 'all', conflict: 'last-write-wins' }),
    ledger: table(ledger, { audience: byOrg(ledger.orgId), write: 'actions' }),
    shape: table(shape, { audience: byOrg(shape.orgId), write: 'all' }),
    notice: table(notice, { audience: 'all' }),
  },
  actions: {
    book: action(
      z.object({ org: z.uuid(), amounts: z.array(z.number().int()) }),
      async ({ sql, id, now, user }, args) => {
        for (const [index, amount] of args.amounts.entries()) {
          if (amount < 0) refuse('overdrawn', 'There is not so much.', { amount })
          const key = id('entry', index)
          await sql`INSERT INTO ledger (id, org_id, amount, at, by) VALUES (${key}, ${args.org}, ${amount}, ${now}, ${user.id})`
        }
      },
      // An earlier version of the app booked one amount at a time.
      { before: (args) => ({ ...(args as { org: string }), amounts: [(args as { amount: number }).amount] }) },
    ),
    close: action(z.object({ id: z.uuid() }), async ({ sql }, { id }) => {
      const [row] = await sql`SELECT state FROM task WHERE id = ${id}`
      if (row?.state === 'done') refuse('already-closed', 'It is closed.')
      await sql`UPDATE task SET state = 'done', title = title || '!' WHERE id = ${id}`
    }),
    bump: action(z.object({ id: z.string() }), async ({ sql }, { id }) => {
      await sql`UPDATE tally SET count = count + 1 WHERE id = ${id}`
    }),
    announce: action(z.object({ id: z.uuid(), body: z.string() }), async ({ sql }, { id, body }) => {
      await sql`INSERT INTO notice (id, body) VALUES (${id}, ${body})`
    }),
    broken: action(z.object({ how: z.enum(['throw', 'syntax', 'swallow', 'late']) }), async ({ sql }, { how }) => {
      if (how === 'throw') throw new Error('secret of the server')
      if (how === 'syntax') await sql`SELEKT 1`
      if (how === 'swallow') await sql`SELECT 1 / 0`.catch(() => [])
      if (how === 'late')
        void sql`INSERT INTO ledger (id, org_id, amount) VALUES (${'00000000-0000-4000-8000-000000000001'}, ${ORG_A}, 1)`
    }),
  },
})

export const PUSH_SCHEMA = `
  CREATE TYPE public.task_state AS ENUM ('open', 'done');
  --> statement-breakpoint
  CREATE DOMAIN public.email AS text CHECK (value LIKE '%@%');
  --> statement-breakpoint
  CREATE FUNCTION public.next_slug() RETURNS text LANGUAGE sql VOLATILE AS $$ SELECT 'slug-' || gen_random_uuid() $$;
  --> statement-breakpoint
  CREATE TABLE public.task (
    id uuid PRIMARY KEY, org_id uuid NOT NULL, parent_id uuid REFERENCES public.task ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    title varchar(40) NOT NULL DEFAULT 'untitled', state public.task_state NOT NULL DEFAULT 'open',
    points numeric(10,2) CHECK (points < 1000), detail jsonb, due_at timestamptz DEFAULT now(),
    number int GENERATED ALWAYS AS IDENTITY, slug text UNIQUE DEFAULT public.next_slug(), secret text UNIQUE,
    length int GENERATED ALWAYS AS (length(title)) STORED);
  --> statement-breakpoint
  CREATE SEQUENCE public.patience;
  --> statement-breakpoint
  GRANT USAGE ON SEQUENCE public.patience TO tidemark_client;
  --> statement-breakpoint
  CREATE FUNCTION public.task_trigger() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
  BEGIN
    IF new.title = 'clash' THEN SELECT secret INTO new.secret FROM task WHERE id <> new.id AND secret IS NOT NULL LIMIT 1; END IF;
    IF new.title = 'busy' THEN RAISE EXCEPTION 'busy' USING ERRCODE = '55P03'; END IF;
    IF new.title = 'patient' AND nextval('patience') < 3 THEN RAISE EXCEPTION 'again' USING ERRCODE = '40001'; END IF;
    IF new.title = 'boom' THEN RAISE EXCEPTION 'the secret is %', new.secret; END IF;
    IF new.title LIKE 'trim %' THEN new.title := upper(new.title); END IF;
    RETURN new;
  END $$;
  --> statement-breakpoint
  CREATE TRIGGER change BEFORE INSERT OR UPDATE ON public.task FOR EACH ROW EXECUTE FUNCTION public.task_trigger();
  --> statement-breakpoint
  CREATE FUNCTION public.task_after() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
  BEGIN
    IF new.title LIKE 'after %' THEN UPDATE task SET title = 'later ' || substr(new.title, 7) WHERE id = new.id; END IF;
    RETURN NULL;
  END $$;
  --> statement-breakpoint
  CREATE TRIGGER follow AFTER INSERT OR UPDATE ON public.task FOR EACH ROW EXECUTE FUNCTION public.task_after();
  --> statement-breakpoint
  CREATE TABLE public.page (id uuid PRIMARY KEY, org_id uuid NOT NULL, body text, tags text);
  --> statement-breakpoint
  CREATE TABLE public.tally (id text PRIMARY KEY, org_id uuid NOT NULL, count int NOT NULL DEFAULT 0, log text);
  --> statement-breakpoint
  CREATE TABLE public.ledger (id uuid PRIMARY KEY, org_id uuid NOT NULL, amount int NOT NULL, at text, by text);
  --> statement-breakpoint
  CREATE TABLE public.notice (id uuid PRIMARY KEY, body text);
  --> statement-breakpoint
  CREATE TABLE public.shape (id uuid PRIMARY KEY, org_id uuid NOT NULL, place point, raw json, code char(4), mask bit(3),
    email public.email, states public.task_state[], bytes bytea);
  --> statement-breakpoint
  ALTER TABLE public.task ENABLE ROW LEVEL SECURITY;
  --> statement-breakpoint
  ALTER TABLE public.page ENABLE ROW LEVEL SECURITY;
  --> statement-breakpoint
  ALTER TABLE public.tally ENABLE ROW LEVEL SECURITY;
  --> statement-breakpoint
  ALTER TABLE public.ledger ENABLE ROW LEVEL SECURITY;
  --> statement-breakpoint
  ALTER TABLE public.shape ENABLE ROW LEVEL SECURITY;
  --> statement-breakpoint
  ALTER TABLE public.notice ENABLE ROW LEVEL SECURITY;
  --> statement-breakpoint
  CREATE POLICY seen ON public.notice FOR SELECT TO tidemark_client USING (true);
  --> statement-breakpoint
  CREATE POLICY member ON public.task TO tidemark_client USING (org_id::text = ANY ((SELECT tidemark.audience_values('org'))::text[]));
  --> statement-breakpoint
  CREATE POLICY kept ON public.task AS RESTRICTIVE FOR DELETE TO tidemark_client USING (title <> 'kept');
  --> statement-breakpoint
  CREATE POLICY sealed ON public.task AS RESTRICTIVE FOR UPDATE TO tidemark_client USING (title <> 'sealed') WITH CHECK (title IS DISTINCT FROM 'forbidden');
  --> statement-breakpoint
  CREATE POLICY made ON public.task AS RESTRICTIVE FOR INSERT TO tidemark_client WITH CHECK (title IS DISTINCT FROM 'forbidden');
  --> statement-breakpoint
  CREATE POLICY member ON public.page TO tidemark_client USING (org_id::text = ANY ((SELECT tidemark.audience_values('org'))::text[]));
  --> statement-breakpoint
  CREATE POLICY member ON public.tally TO tidemark_client USING (org_id::text = ANY ((SELECT tidemark.audience_values('org'))::text[]));
  --> statement-breakpoint
  CREATE POLICY member ON public.ledger TO tidemark_client USING (org_id::text = ANY ((SELECT tidemark.audience_values('org'))::text[]));
  --> statement-breakpoint
  CREATE POLICY member ON public.shape TO tidemark_client USING (org_id::text = ANY ((SELECT tidemark.audience_values('org'))::text[]))`
