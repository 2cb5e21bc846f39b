import type { Query } from '../../db/query.ts'

/** The rows of one table, by count and by a hash of their content. */
export interface TableDigest {
  readonly name: string
  readonly rows: number
  readonly content: string
}

/** Times are read as seconds, because their text depends on the session that prints them. */
const STAMPS = 'extract(epoch FROM created_at), extract(epoch FROM updated_at), version'
const COLUMNS: Readonly<Record<string, string>> = {
  organization: `id, name, slug, ${STAMPS}`,
  membership: `id, org_id, user_id, display_name, email, role, extract(epoch FROM joined_at), ${STAMPS}`,
  project: `id, org_id, key, name, description, lead_id, extract(epoch FROM deleted_at), ${STAMPS}`,
  label: `id, org_id, name, color, ${STAMPS}`,
  issue: `id, org_id, project_id, parent_id, number, title, body, state, priority, assignee_id, creator_id, due_on,
    extract(epoch FROM closed_at), ${STAMPS}`,
  issue_label: 'org_id, issue_id, label_id',
  comment: `id, org_id, issue_id, author_id, body, extract(epoch FROM edited_at), ${STAMPS}`,
  note: `id, user_id, org_id, issue_id, body, ${STAMPS}`,
  activity: 'id, org_id, issue_id, actor_id, kind, value, extract(epoch FROM created_at)',
}

function digestSql(where: (table: string) => string): string {
  const parts = Object.entries(COLUMNS).map(
    ([table, columns]) => `
      SELECT '${table}' AS name, count(*)::text AS rows, md5(coalesce(string_agg(line, E'\\n' ORDER BY line COLLATE "C"), '')) AS content
      FROM (SELECT concat_ws('|', ${columns}) AS line FROM public.${table} ${where(table)}) AS lines`,
  )
  return `${parts.join(' UNION ALL ')} ORDER BY name`
}

const toDigest = (row: Record<string, string | null>): TableDigest => ({
  name: row.name ?? '',
  rows: Number(row.rows),
  content: row.content ?? '',
})

/** Digests everything a replica holds. */
export async function digestReplica(query: Query): Promise<TableDigest[]> {
  return (await query(digestSql(() => ''))).map(toDigest)
}

/** Digests the rows of some organisations in Postgres, and one user's own. */
export async function digestAudiences(
  query: Query,
  organizations: readonly string[],
  user: string,
): Promise<TableDigest[]> {
  const sql = digestSql((table) => {
    if (table === 'note') return 'WHERE user_id = $2::text::uuid'
    return `WHERE ${table === 'organization' ? 'id' : 'org_id'} = ANY ($1::text::uuid[])`
  })
  return (await query(sql, [`{${organizations.join(',')}}`, user])).map(toDigest)
}
