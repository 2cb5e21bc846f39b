import { integer, pgTable, text } from 'drizzle-orm/pg-core'
import { z } from 'zod'
import { action, defineSync, table } from '../../db/index.ts'

const note = pgTable('note', {
  id: text('id').primaryKey(),
  board: text('board').notNull(),
  title: text('title').notNull(),
  state: text('state').notNull().default('open'),
  body: text('body').notNull().default(''),
  count: integer('count').notNull().default(0),
  slug: text('slug').unique(),
})

const comment = pgTable('comment', {
  id: text('id').primaryKey(),
  board: text('board').notNull(),
  noteId: text('note_id')
    .notNull()
    .references(() => note.id, { onDelete: 'cascade' }),
  body: text('body').notNull(),
})

/** Notes on boards, which everyone of a board writes, by SQL and by actions. */
export const sync = defineSync({
  tables: {
    note: table(note, { audience: { column: note.board, prefix: 'board' }, write: 'all' }),
    comment: table(comment, { audience: { column: comment.board, prefix: 'board' }, write: 'all' }),
  },
  actions: {
    append: action(z.object({ id: z.string(), text: z.string() }), async ({ sql }, { id, text: more }) => {
      await sql`UPDATE note SET body = body || ${more} WHERE id = ${id}`
    }),
    addOne: action(z.object({ id: z.string() }), async ({ sql }, { id }) => {
      await sql`UPDATE note SET count = count + 1 WHERE id = ${id}`
    }),
    /** Counts the comments on a note that the mutation's author sees, on any board. */
    countComments: action(z.object({ id: z.string() }), async ({ sql }, { id }) => {
      await sql`UPDATE note SET count = (SELECT count(*) FROM comment WHERE note_id = ${id}) WHERE id = ${id}`
    }),
    close: action(z.object({ id: z.string() }), async ({ sql }, { id }) => {
      await sql`UPDATE note SET state = 'closed' WHERE id = ${id}`
    }),
  },
})
