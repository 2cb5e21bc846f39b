import { sql } from 'drizzle-orm'
import { boolean, pgTable, text } from 'drizzle-orm/pg-core'
import { z } from 'zod'
import { action, defineSync, table } from '../../../db/index.ts'

const memo = pgTable('memo', { id: text('id'), orgId: text('org_id'), title: text('title'), secret: text('secret') })
const diary = pgTable('diary', { id: text('id'), userId: text('user_id'), body: text('body') })
const plan = pgTable('plan', { id: text('id'), orgId: text('org_id'), body: text('body') })
const remark = pgTable('remark', {
  id: text('id'),
  memoId: text('memo_id'),
  body: text('body'),
  hushed: boolean('hushed'),
})
const mark = pgTable('mark', { id: text('id'), remarkId: text('remark_id'), body: text('body') })
const member = pgTable('member', { userId: text('user_id'), orgId: text('org_id') })

/** A table of each kind of right; `vault` and `member` travel to nobody. */
export const sync = defineSync({
  tables: {
    memo: table(memo, { audience: { column: memo.orgId, prefix: 'org' }, hidden: ['secret'], write: 'all' }),
    diary: table(diary, { audience: { column: diary.userId, prefix: 'user' }, write: 'all' }),
    remark: table(remark, {
      audience: { via: remark.memoId, of: memo },
      when: sql`${remark.hushed} IS NOT TRUE`,
      write: 'all',
    }),
    mark: table(mark, { audience: { via: mark.remarkId, of: remark }, write: 'all' }),
    plan: table(plan, { audience: { column: plan.orgId, prefix: 'org' }, write: 'actions' }),
  },
  actions: {
    read: action(z.object({ id: z.string() }), async ({ sql }, { id }) => {
      const rows = await sql`SELECT id, title FROM memo WHERE id = ${id}`
      await sql`UPDATE plan SET body = ${rows[0]?.title ?? 'nothing'} WHERE org_id = 'a'`
    }),
    write: action(z.object({ id: z.string(), body: z.string() }), async ({ sql }, { id, body }) => {
      await sql`UPDATE plan SET body = ${body} WHERE id = ${id}`
      await sql`UPDATE memo SET title = ${body} WHERE id = ${id}`
    }),
  },
  watch: [{ table: member, user: member.userId }],
})
