import { action } from 'tidemark/db'
import * as z from 'zod/mini'
import { issueOf, ownMembership } from './look-up.ts'

const text = z.string().check(z.trim(), z.minLength(1), z.maxLength(20_000))

/** Adds a comment as the acting user. */
export const addComment = action(z.object({ issueId: z.uuid(), body: text }), async (context, { issueId, body }) => {
  const { sql, id, now } = context
  const { org_id: orgId = null } = await issueOf(sql, issueId)
  const author = await ownMembership(context, orgId)
  await sql`
    INSERT INTO comment (id, org_id, issue_id, author_id, body, created_at)
    VALUES (${id('comment')}, ${orgId}, ${issueId}, ${author}, ${body}, ${now})`
})

/** Adds a paragraph below an issue's description, whatever others wrote there meanwhile. */
export const appendToIssue = action(z.object({ issueId: z.uuid(), text }), async ({ sql }, args) => {
  await issueOf(sql, args.issueId)
  await sql`
    UPDATE issue SET body = CASE WHEN body = '' THEN '' ELSE body || chr(10) || chr(10) END || ${args.text}::text
    WHERE id = ${args.issueId}`
})
