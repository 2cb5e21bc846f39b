import type { Audiences } from '../../../workers/access/access.ts'

/** Answers the audiences that the token lists, and one for each organisation that the user belongs to. */
export const audiences: Audiences = async ({ userId, claims, sql }) => {
  const rows = await sql`SELECT org_id FROM public.membership WHERE user_id = ${userId} ORDER BY org_id`
  const listed = Array.isArray(claims.audiences) ? claims.audiences.map(String) : []
  return [...listed, ...rows.map((row) => `org:${row.org_id}`)]
}
