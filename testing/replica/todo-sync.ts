import { sql } from 'drizzle-orm'
import { boolean, integer, pgEnum, pgTable, serial, text, timestamp, uuid } from 'drizzle-orm/pg-core'
import { z } from 'zod'
import { action, refuse } from '../../db/action.ts'
import { defineSync, table } from '../../db/define-sync.ts'

/** An app of lists and their items, as an app of its own would define it: with defaults, an enum and a serial key. */
const urgency = pgEnum('urgency', ['low', 'high'])

const list = pgTable('list', {
  id: uuid('id').primaryKey().default(sql`gen_random_uuid()`),
  org: text('org').notNull(),
  name: text('name').notNull(),
})

export const item = pgTable('item', {
  id: uuid('id').primaryKey().default(sql`gen_random_uuid()`),
  org: text('org').notNull(),
  listId: uuid('list_id'),
  title: text('title').notNull(),
  done: boolean('done').notNull().default(false),
  rank: integer('rank').notNull().default(1),
  urgency: urgency('urgency').notNull().default('low'),
  number: serial('number'),
  createdAt: timestamp('created_at', { withTimezone: true }).notNull().default(sql`now()`),
})

export const todoSync = defineSync({
  tables: {
    list: table(list, { audience: { column: list.org, prefix: 'org' } }),
    item: table(item, { audience: { column: item.org, prefix: 'org' }, write: 'all' }),
  },
  actions: {
    finish: action(z.object({ id: z.uuid() }), async ({ sql: run }, { id }) => {
      const rows = await run`UPDATE item SET done = true WHERE id = ${id} AND NOT done RETURNING id`
      if (rows.length === 0) refuse('done-already', 'It is done already.')
    }),
  },
})

/** Makes a row of `item` of the org `a`; `nth` gives it its id. */
export const itemOf = (nth: number, more: Partial<typeof item.$inferInsert> = {}): typeof item.$inferInsert => ({
  id: itemId(nth),
  org: 'a',
  title: `item ${nth}`,
  ...more,
})

export const itemId = (nth: number): string => `00000000-0000-4000-8000-${String(nth).padStart(12, '0')}`
