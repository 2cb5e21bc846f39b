import { doublePrecision, integer, pgTable, text } from 'drizzle-orm/pg-core'
import { defineSync, table } from '../../db/index.ts'

const item = pgTable('item', {
  id: text('id').primaryKey(),
  grp: integer('grp').notNull(),
  title: text('title').notNull(),
  body: text('body').notNull(),
  seq: doublePrecision('seq').notNull(),
})

/** The one table that both sides carry. */
export const sync = defineSync({ tables: { item: table(item, { audience: { column: item.grp, prefix: 'grp' } }) } })
