import { boolean, integer, pgTable, text, timestamp, uuid } from 'drizzle-orm/pg-core'
import { action, defineSync, table } from 'tidemark/db'
import { z } from 'zod'

/** The app that pages of `docs/` speak of where they show pieces: issues of organisations, and what hangs on them. */
export const project = pgTable('project', { id: uuid('id').primaryKey(), orgId: uuid('org_id').notNull() })
export const issue = pgTable('issue', {
  id: uuid('id').primaryKey(),
  orgId: uuid('org_id').notNull(),
  project: text('project').notNull(),
  title: text('title').notNull(),
  state: text('state').notNull(),
  authorId: text('author_id'),
  deletedAt: timestamp('deleted_at', { withTimezone: true }),
})
export const comment = pgTable('comment', { id: uuid('id').primaryKey(), issueId: uuid('issue_id').notNull() })
export const reaction = pgTable('reaction', { id: uuid('id').primaryKey(), commentId: uuid('comment_id').notNull() })
export const invoice = pgTable('invoice', { id: uuid('id').primaryKey(), orgId: uuid('org_id').notNull() })
export const invoiceLine = pgTable('invoice_line', {
  id: uuid('id').primaryKey(),
  invoiceId: uuid('invoice_id').notNull(),
})
export const plan = pgTable('plan', { id: uuid('id').primaryKey() })
export const album = pgTable('album', { id: uuid('id').primaryKey() })
export const task = pgTable('task', {
  id: uuid('id').primaryKey(),
  team: text('team').notNull(),
  title: text('title').notNull(),
  done: boolean('done').notNull(),
})
export const note = pgTable('note', {
  id: uuid('id').primaryKey(),
  board: text('board').notNull(),
  count: integer('count'),
})

const ofOrg = { column: issue.orgId, prefix: 'org' } as const

export const sync = defineSync({
  tables: {
    issue: table(issue, { audience: ofOrg, write: 'all' }),
    comment: table(comment, { audience: { via: comment.issueId, of: issue } }),
    note: table(note, { audience: { column: note.board, prefix: 'board' }, write: 'all' }),
  },
  actions: {
    closeIssue: action(z.object({ id: z.uuid() }), async ({ sql }, { id }) => {
      await sql`UPDATE issue SET state = 'closed' WHERE id = ${id}`
    }),
    payInvoice: action(z.object({ id: z.string() }), async ({ sql }, { id }) => {
      await sql`UPDATE invoice SET state = 'paid' WHERE id = ${id}`
    }),
    addOne: action(z.object({ id: z.uuid() }), async ({ sql }, { id }) => {
      await sql`UPDATE note SET count = count + 1 WHERE id = ${id}`
    }),
  },
})
