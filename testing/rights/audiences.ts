import type { Audiences } from '../../workers/access/access.ts'

/** A visitor has nothing but the organisations they are a member of. */
export const audiences: Audiences = async ({ userId, sql }) => {
  const rows = await sql`SELECT org_id FROM public.membership WHERE user_id = ${userId} ORDER BY org_id`
  const own = userId.startsWith('visitor') ? [] : [`user:${userId}`]
  return [...own, ...rows.map((row) => `org:${row.org_id}`)]
}
