import { bigint, integer, pgTable, text, uuid } from 'drizzle-orm/pg-core'
import { z } from 'zod'
import { action, defineSync, table } from '../../db/index.ts'

export const ORG = 'aaaaaaaa-0000-4000-8000-00000000000a'
export const OTHER_ORG = 'bbbbbbbb-0000-4000-8000-00000000000b'
export const TICKETS = 'public.ticket_id_seq'
export const NOTES = 'public.note_id_seq'
export const SCARCE = 'public.scarce_id_seq'

const orgId = () => uuid('org_id').notNull()
export const ticket = pgTable('ticket', {
  id: integer('id').primaryKey().generatedByDefaultAsIdentity(),
  orgId: orgId(),
  title: text('title'),
  parentId: integer('parent_id'),
})
export const note = pgTable('note', {
  id: bigint('id', { mode: 'number' }).primaryKey().generatedAlwaysAsIdentity(),
  orgId: orgId(),
  ticketId: integer('ticket_id'),
  body: text('body'),
})
const scarce = pgTable('scarce', { id: integer('id').primaryKey().generatedByDefaultAsIdentity(), orgId: orgId() })

/** An app whose tables are numbered by sequences: serial, an identity that is always generated, and one that is nearly used up. */
export const sync = defineSync({
  tables: {
    ticket: table(ticket, { audience: { column: ticket.orgId, prefix: 'org' }, write: 'all' }),
    note: table(note, { audience: { column: note.orgId, prefix: 'org' }, write: 'all' }),
    scarce: table(scarce, { audience: { column: scarce.orgId, prefix: 'org' }, write: 'all' }),
  },
  actions: {
    open: action(z.object({ org: z.uuid(), title: z.string() }), async ({ sql }, { org, title }) => {
      await sql`INSERT INTO ticket (org_id, title) VALUES (${org}, ${title})`
    }),
  },
})
