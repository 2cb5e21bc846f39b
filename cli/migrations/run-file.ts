import type { Query } from '../../db/query.ts'
import { TidemarkError } from '../../protocol/errors.ts'
import { databaseMessageOf, SQL_STATE, sqlStateOf } from '../../workers/database/index.ts'
import type { FileRun } from './file-runs.ts'
import type { MigrationFile } from './migration-file.ts'
import { recordFile } from './record-file.ts'
import { isLockFault } from './retry-locks.ts'

/** Checks that a file leaves to its commit run before the definition follows: a deferred trigger may write as well. */
export const RUN_CHECKS = 'SET CONSTRAINTS ALL IMMEDIATE'

/** Runs a file and records it, in the transaction of the caller. Throws `misconfigured` for what the database refuses. */
export async function runFile(query: Query, file: MigrationFile): Promise<void> {
  await runStatements(query, file)
  await recordFile(query, file)
}

/** Runs the statements alone. Throws as `runFile`. */
export async function runStatements(query: Query, file: MigrationFile): Promise<void> {
  // Connections are pinned to pg_catalog; an app's SQL expects its own search path.
  await query('SET LOCAL search_path TO DEFAULT')
  for (const [index, statement] of [...file.statements, RUN_CHECKS].entries())
    await runStatement(query, file, { text: statement, parameters: file.parameters?.[index] ?? [], index })
}

/** Runs one statement of a file, or several that have no parameters, and answers its rows. Throws as `runFile`. */
export async function runStatement(
  query: Query,
  { name, statements }: MigrationFile,
  { text, parameters, index }: Pick<FileRun, 'text' | 'parameters' | 'index'>,
  left = 'left nothing behind',
): Promise<Record<string, string | null>[]> {
  try {
    // With parameters a text may hold one statement alone.
    return await (parameters.length > 0 ? query(text, parameters) : query(text))
  } catch (error) {
    const said = databaseMessageOf(error)
    const state = sqlStateOf(error)
    if (said === null || state === null || isLockFault(error)) throw error
    const { length } = statements
    const place = length > 1 && index < length ? `, statement ${index + 1} of ${length}` : ''
    throw new TidemarkError(
      'misconfigured',
      `Migration ${name}${place} failed and ${left}: ${said}\n${remedyOf(state)}`,
      { cause: error },
    )
  }
}

function remedyOf(state: string): string {
  switch (state) {
    case SQL_STATE.activeSqlTransaction:
      return (
        'Each file runs in one transaction, and this statement cannot. Take it out of the file, run it by hand with psql, ' +
        'then run this again. An index can stay where it is without CONCURRENTLY: writers wait while it is built.'
      )
    case SQL_STATE.invalidTransactionTermination:
      return (
        'Each file runs in one transaction, and what this calls ends transactions itself. Take it out of the file, call ' +
        'it by hand with psql, then run this again.'
      )
    case SQL_STATE.undefinedParameter:
      return 'A file has no parameters, as a query of TypeORM has: write each value in place of its $1, then run this again.'
    case SQL_STATE.unsafeNewEnumValue:
      return 'Put the statement that adds the label into a file of its own before this one, then run this again.'
    default:
      return 'Mend the file and run this again.'
  }
}
