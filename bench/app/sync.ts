import { bigint, boolean, pgTable, text, timestamp, uuid } from 'drizzle-orm/pg-core'
import { defineSync, table } from '../../db/index.ts'

const task = pgTable('task', {
  id: uuid('id'),
  orgId: uuid('org_id'),
  number: bigint('number', { mode: 'bigint' }),
  title: text('title'),
  body: text('body'),
  done: boolean('done'),
  labels: text('labels').array(),
  updatedAt: timestamp('updated_at', { withTimezone: true }),
})

export const sync = defineSync({ tables: { task: table(task, { audience: { column: task.orgId, prefix: 'org' } }) } })
