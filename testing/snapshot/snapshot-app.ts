import { integer, pgTable, text, uuid } from 'drizzle-orm/pg-core'
import { defineSync, table } from '../../db/index.ts'

export const ORG_A = 'aaaaaaaa-0000-4000-8000-00000000000a'
export const ORG_B = 'bbbbbbbb-0000-4000-8000-00000000000b'

const item = pgTable('item', {
  id: integer('id'),
  orgId: uuid('org_id'),
  title: text('title'),
})
const note = pgTable('note', { id: integer('id'), userId: text('user_id'), body: text('body') })
const setting = pgTable('setting', { key: text('key'), value: text('value') })

/** A small app: rows per organisation, per user and for all; one column stays on the server. */
export const snapshotSync = defineSync({
  tables: {
    item: table(item, { audience: { column: item.orgId, prefix: 'org' }, hidden: ['secret'], priority: 2 }),
    note: table(note, { audience: { column: note.userId, prefix: 'user' }, priority: 2 }),
    setting: table(setting, { audience: 'all', priority: 1 }),
  },
})

export const SNAPSHOT_SCHEMA = `
  CREATE TABLE public.item (id int PRIMARY KEY, org_id uuid, title text NOT NULL DEFAULT '', secret text);
  --> statement-breakpoint
  CREATE INDEX item_org ON public.item (org_id);
  --> statement-breakpoint
  CREATE TABLE public.note (id int PRIMARY KEY, user_id text, body text);
  --> statement-breakpoint
  CREATE TABLE public.setting (key text PRIMARY KEY, value text);
  --> statement-breakpoint
  ALTER TABLE public.item ENABLE ROW LEVEL SECURITY;
  --> statement-breakpoint
  CREATE POLICY own ON public.item FOR SELECT TO tidemark_client
    USING (org_id = ANY ((SELECT tidemark.audience_values('org'))::uuid[]));
  --> statement-breakpoint
  ALTER TABLE public.note ENABLE ROW LEVEL SECURITY;
  --> statement-breakpoint
  CREATE POLICY own ON public.note FOR SELECT TO tidemark_client
    USING (user_id = ANY ((SELECT tidemark.audience_values('user'))::text[]))`
