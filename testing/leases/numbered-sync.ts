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
    /** Makes a ticket under a key that it names, and a note of it for each body. */
    report: action(
      z.object({ org: z.uuid(), title: z.string(), bodies: z.array(z.string()) }),
      async ({ sql, key }, { org, title, bodies }) => {
        const ticketKey = await key('ticket')
        await sql`INSERT INTO ticket (id, org_id, title) VALUES (${ticketKey}, ${org}, ${title})`
        for (const body of bodies)
          await sql`INSERT INTO note (id, org_id, ticket_id, body) OVERRIDING SYSTEM VALUE
            VALUES (${await key('note')}, ${org}, ${ticketKey}, ${body})`
      },
    ),
    /** One note for each ticket of a title, as many as there are where it runs. */
    remarkAll: action(z.object({ org: z.uuid(), title: z.string() }), async ({ sql, key }, { org, title }) => {
      for (const one of await sql`SELECT id FROM ticket WHERE title = ${title} ORDER BY id`)
        await sql`INSERT INTO note (id, org_id, ticket_id, body) OVERRIDING SYSTEM VALUE
          VALUES (${await key('note')}, ${org}, ${one.id ?? ''}, 'remark')`
    }),
    retitle: action(
      z.object({ ticket: z.int(), title: z.string() }),
      async ({ sql }, { ticket: id, title }) => {
        await sql`UPDATE ticket SET title = ${title} WHERE id = ${id}`
      },
      { rekey: (args, key) => ({ ...args, ticket: key('ticket', args.ticket) }) },
    ),
    /** As `retitle`, and does not say how its arguments name keys. */
    close: action(z.object({ ticket: z.int() }), async ({ sql }, { ticket: id }) => {
      await sql`UPDATE ticket SET title = 'closed' WHERE id = ${id}`
    }),
    shout: action(z.object({ title: z.string() }), async ({ sql }, { title }) => {
      await sql`UPDATE ticket SET title = upper(title) WHERE title = ${title}`
    }),
  },
})
