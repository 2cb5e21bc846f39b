import type { Audiences } from '../../workers/access/access.ts'

export const audiences: Audiences = async ({ userId, sql }) => {
  const rows = await sql`SELECT org_id FROM public.membership WHERE user_id = ${userId} ORDER BY org_id`
  return [`user:${userId}`, ...rows.map((row) => `org:${row.org_id}`)]
}
