import { generateSeed } from './seed/generate.ts'
import type { SeedRows } from './seed/issue-draft.ts'

type Query = (text: string, params?: readonly string[]) => Promise<Record<string, string | null>[]>

/** A statement stays well below any message limit. */
const ROWS_PER_INSERT = 5_000

const INSERTS: Record<keyof SeedRows, string> = {
  organization:
    'INSERT INTO public.organization SELECT * FROM jsonb_populate_recordset(null::public.organization, $1::jsonb)',
  app_user: 'INSERT INTO public.app_user SELECT * FROM jsonb_populate_recordset(null::public.app_user, $1::jsonb)',
  membership:
    'INSERT INTO public.membership SELECT * FROM jsonb_populate_recordset(null::public.membership, $1::jsonb)',
  project: 'INSERT INTO public.project SELECT * FROM jsonb_populate_recordset(null::public.project, $1::jsonb)',
  label: 'INSERT INTO public.label SELECT * FROM jsonb_populate_recordset(null::public.label, $1::jsonb)',
  issue: 'INSERT INTO public.issue SELECT * FROM jsonb_populate_recordset(null::public.issue, $1::jsonb)',
  issue_label:
    'INSERT INTO public.issue_label SELECT * FROM jsonb_populate_recordset(null::public.issue_label, $1::jsonb)',
  comment: 'INSERT INTO public.comment SELECT * FROM jsonb_populate_recordset(null::public.comment, $1::jsonb)',
  note: 'INSERT INTO public.note SELECT * FROM jsonb_populate_recordset(null::public.note, $1::jsonb)',
  // The keys of activity come from the sequence, in the order of the rows.
  activity: `
    INSERT INTO public.activity (org_id, issue_id, actor_id, kind, value, created_at)
    SELECT org_id, issue_id, actor_id, kind, value, created_at
    FROM jsonb_populate_recordset(null::public.activity, $1::jsonb)`,
}

/** Fills an empty database: three organisations, twelve people, 5,000 issues with 20,000 comments, their activity and everyone's notes. A filled one stays as it is. */
export default async function seed(query: Query): Promise<void> {
  const [existing] = await query('SELECT 1 AS found FROM public.organization LIMIT 1')
  if (existing) return
  const rows = generateSeed(new Date())
  for (const [table, statement] of Object.entries(INSERTS) as [keyof SeedRows, string][]) {
    for (let start = 0; start < rows[table].length; start += ROWS_PER_INSERT) {
      await query(statement, [JSON.stringify(rows[table].slice(start, start + ROWS_PER_INSERT))])
    }
  }
}
