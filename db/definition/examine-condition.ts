import { quoteTable } from '../../protocol/index.ts'
import type { Query } from '../query.ts'
import type { KeptTable } from './kept-audience-sql.ts'

/** Postgres itself says what is immutable and of one table: it takes nothing else as the predicate of an index. */
const READ = `
  SELECT coalesce(string_agg(a.attname, ', '), '') AS names
  FROM pg_depend d JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
  JOIN pg_attribute own ON own.attrelid = to_regclass($1) AND own.attname = a.attname AND own.attgenerated <> ''
  WHERE d.classid = 'pg_class'::regclass AND d.objid = 'pg_temp.tidemark_condition_index'::regclass
    AND d.refclassid = 'pg_class'::regclass AND d.refobjid = 'pg_temp.tidemark_condition'::regclass`

/**
 * Tells why a condition cannot decide who sees a row, worded to follow `Table x`; null where it can. It makes and takes
 * back a table of the session's own.
 */
export async function conditionFault(query: Query, table: KeptTable, when: string): Promise<string | null> {
  const name = quoteTable(table)
  await query('SAVEPOINT tidemark_condition')
  try {
    await query(`CREATE TEMP TABLE tidemark_condition (LIKE ${name})`)
    await query(`CREATE INDEX tidemark_condition_index ON pg_temp.tidemark_condition ((1)) WHERE (${when})`)
    const [row] = await query(READ, [name])
    if (!row?.names) return null
    return `has a condition \`when\` over ${row.names}, which is generated after it is decided: name the columns from which it is computed`
  } catch (error) {
    // Whoever runs the query may have wrapped what the database said.
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
    const said = cause instanceof Error ? cause.message : String(cause)
    return (
      `has a condition \`when\` (${when}) that cannot decide who sees a row (${said}): let it be immutable and over the ` +
      `row's own columns alone, with what is not built in named by its schema`
    )
  } finally {
    await query('ROLLBACK TO SAVEPOINT tidemark_condition')
    await query('RELEASE SAVEPOINT tidemark_condition')
  }
}
