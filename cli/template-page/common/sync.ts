import { boolean, pgTable, text, uuid } from 'drizzle-orm/pg-core'
import { defineSync, table } from 'tidemark/db'

export const task = pgTable('task', {
  id: uuid('id').primaryKey(),
  team: text('team').notNull(),
  title: text('title').notNull(),
  done: boolean('done').notNull(),
})

/** Only its team sees a task, and its team writes it. */
export const sync = defineSync({
  tables: { task: table(task, { audience: { column: task.team, prefix: 'team' }, write: 'all' }) },
})
