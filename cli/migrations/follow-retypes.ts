import { describeRetype } from '../../db/definition/describe-retype.ts'
import {
  type ColumnMark,
  columnsMadeAnew,
  type RetypedColumns,
  readColumnMarks,
  withRetype,
} from '../../db/definition/retyped-columns.ts'
import type { TransactionStart } from '../../db/definition/transaction-start.ts'
import type { Query } from '../../db/query.ts'
import type { FileRun } from './file-runs.ts'
import { retypeStatement } from './retype-statement.ts'

/** The columns of the synced tables, and what statements did to their values since the last version. */
export interface FollowedColumns {
  readonly marks: readonly ColumnMark[]
  readonly retyped: RetypedColumns
}

/** Looks at the columns of the tables that steps may lead from. */
export async function lookAtColumns(query: Query, { tables }: TransactionStart): Promise<FollowedColumns> {
  const relations = [...(tables?.shapes.values() ?? [])].map(({ relation }) => relation)
  return { marks: await readColumnMarks(query, relations), retyped: new Map() }
}

/**
 * Runs statements, and looks at what they did to values of columns, so that work from before can be said in their next
 * types. Only a statement that stands alone there and says so itself gives a column another
 * type in a way that is known. Throws as `run` does.
 */
export async function followRetypes(
  query: Query,
  { marks: before, retyped }: FollowedColumns,
  { text, effect }: Pick<FileRun, 'text' | 'effect'>,
  run: () => Promise<void>,
): Promise<FollowedColumns> {
  const statement = retypeStatement(text)
  const target = statement && (await findTable(query, statement.table))
  await run()
  const marks = await readColumnMarks(query, [...new Set(before.map(({ relation }) => relation))])
  let so = retyped
  for (const column of columnsMadeAnew(before, marks)) {
    const isTarget = target?.relation === column.before.relation
    const said = isTarget ? statement?.columns.find(({ name }) => name === column.before.name) : undefined
    // A rewrite for another column's sake, or for one that is added, leaves values as they are.
    if (effect === 'schema' && said === undefined && isOfSameType(column.before, column.after)) continue
    const columns = before.filter(({ relation }) => relation === column.before.relation)
    const asked = { table: target?.name ?? '', columns, column, using: said?.using ?? null }
    so = withRetype(so, column, said === undefined ? null : await describe(query, asked))
  }
  return { marks, retyped: so }
}

async function findTable(query: Query, name: string) {
  const [found] = await query(
    'SELECT c.oid::text AS relation, c.relname::text AS name FROM pg_class c WHERE c.oid = to_regclass($1)',
    [name],
  )
  return found ?? null
}

const isOfSameType = (was: ColumnMark, is: ColumnMark) => was.typeId === is.typeId && was.typeMod === is.typeMod

async function describe(query: Query, asked: Parameters<typeof describeRetype>[1]) {
  await query('SAVEPOINT tidemark_described')
  try {
    return await describeRetype(query, asked)
  } finally {
    await query('ROLLBACK TO SAVEPOINT tidemark_described; RELEASE SAVEPOINT tidemark_described')
  }
}
