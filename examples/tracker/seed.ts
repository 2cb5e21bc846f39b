import { generateSeed } from './seed/generate.ts'
import type { Row } from './seed/issue-draft.ts'

type Query = (text: string, params?: readonly string[]) => Promise<Record<string, string | null>[]>

/** A statement stays well below any message limit. */
const ROWS_PER_INSERT = 5_000

/** What the rows do not name gets its default: versions, and the keys of activity, in the order of the rows. */
function insertOf(table: string, rows: readonly Row[]): string {
  const columns = Object.keys(rows[0] ?? {}).join(', ')
  return `INSERT INTO public.${table} (${columns})
    SELECT ${columns} FROM jsonb_populate_recordset(null::public.${table}, $1::jsonb)`
}

/** Fills an empty database: three organisations, twelve people, 5,000 issues with 20,000 comments, their activity and everyone's notes. A filled one stays as it is. */
export default async function seed(query: Query): Promise<void> {
  const [existing] = await query('SELECT 1 AS found FROM public.organization LIMIT 1')
  if (existing) return
  for (const [table, rows] of Object.entries(generateSeed(new Date()))) {
    for (let start = 0; start < rows.length; start += ROWS_PER_INSERT) {
      await query(insertOf(table, rows), [JSON.stringify(rows.slice(start, start + ROWS_PER_INSERT))])
    }
  }
}
