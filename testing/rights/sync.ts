import { pgTable, text } from 'drizzle-orm/pg-core'
import { defineSync, table } from '../../db/index.ts'

const item = pgTable('item', {
  id: text('id').primaryKey(),
  orgId: text('org_id').notNull(),
  title: text('title').notNull(),
})

const membership = pgTable('membership', { userId: text('user_id').notNull(), orgId: text('org_id').notNull() })

/** Members see the items of their orgs; memberships travel to nobody. */
export const sync = defineSync({
  tables: { item: table(item, { audience: { column: item.orgId, prefix: 'org' } }) },
  watch: [{ table: membership, user: membership.userId }],
})
