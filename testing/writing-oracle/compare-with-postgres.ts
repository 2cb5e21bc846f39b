import type { Database } from '../../workers/database/index.ts'
import type { WritingEvidence } from './account.ts'
import type { Look } from './operation.ts'
import type { Writer } from './writer.ts'

const OF_MEMBERS = 'SELECT org_id FROM public.membership WHERE user_id = $1'
const OF_ORG = `t.org_id IN (${OF_MEMBERS})`
/** What a remark's and a reply's audience should be, by the rows above and not by what keeps it. */
const OF_BOARD = `(SELECT b.org_id FROM public.board b WHERE b.id = r.board_id AND NOT r.hidden) IN (${OF_MEMBERS})`

/** The tables that all replicas hold, each with the condition on which a member sees a row `t`. */
const SEEN: Readonly<Record<string, string>> = {
  'public.person': OF_ORG,
  'public.list': OF_ORG,
  'public.task': OF_ORG,
  'public.tally': OF_ORG,
  'public.entry': OF_ORG,
  'public.ticket': OF_ORG,
  'public.answer': OF_ORG,
  'public.board': OF_ORG,
  'public.remark': `EXISTS (SELECT FROM public.remark r WHERE r.id = t.id AND ${OF_BOARD})`,
  'public.reply': `EXISTS (SELECT FROM public.remark r WHERE r.id = t.remark_id AND ${OF_BOARD})`,
}
const TABLES = Object.keys(SEEN)
/** The tables that a writer's replica holds. */
export const tablesOf = ({ options: { visits } }: Writer) => (visits ? [...TABLES, 'public.visit'] : TABLES)

/** Compares what a replica shows with what Postgres holds for its user; answers each table that differs, in words. */
export async function differencesOf(database: Database, writer: Writer, look: Look): Promise<string[]> {
  const differences: string[] = []
  for (const table of tablesOf(writer)) {
    const expected = await readRows(database, table, writer.options.user)
    const held = look.rows[table] ?? []
    const missing = expected.filter((row) => !held.includes(row))
    const extra = held.filter((row) => !expected.includes(row))
    if (missing.length + extra.length > 0) {
      differences.push(
        `${writer.options.name} differs from Postgres in ${table}\n  Postgres: ${missing.join('\n  ')}\n  replica: ${extra.join('\n  ')}`,
      )
    }
  }
  return differences
}

/** Reads the rows of a table that a user may see by now. */
async function readRows(database: Database, table: string, user: string): Promise<string[]> {
  const rows = await database.transaction(async ({ query }) => {
    await query(`SET LOCAL TimeZone = 'UTC'`)
    return query(
      `SELECT to_jsonb(t)::text AS row FROM ${table} AS t
       WHERE ${SEEN[table] ?? OF_ORG} ORDER BY 1`,
      [user],
    )
  })
  return rows.map(({ row }) => row ?? '')
}

/** Reads by which tokens of operations Postgres shows that these were done: rows of entries, words in logs of tallies. */
export async function readTokens(database: Database): Promise<Pick<WritingEvidence, 'entries' | 'logged'>> {
  const entries = await database.query('SELECT token, count(*)::text AS count FROM public.entry GROUP BY token')
  const tallies = await database.query('SELECT log FROM public.tally')
  return {
    entries: new Map(entries.map(({ token, count }) => [token ?? '', Number(count)])),
    logged: tallies.flatMap(({ log }) => (log ?? '').split(' ')).filter((word) => word !== ''),
  }
}
