import { databaseMessageOf, sqlStateOf } from './database-error.ts'
import { faultField } from './fault-field.ts'

/** SQLSTATEs for a table, function, type, schema or column that does not exist, or that the role may not use. */
const NAMES = /^(42P01|42883|42704|3F000|42703|42501)$/
/** Matches the functions that Postgres names in an error's context, the innermost first. */
const CALLED = /(?:SQL|PL\/\w+) function "?([^"\s(]+)/

/** Returns the app's function in which an error arose; null where a statement by itself raised it. */
export const functionOf = (error: unknown): string | null => CALLED.exec(faultField(error, 'where') ?? '')?.[1] ?? null

/**
 * Explains what code of the app that Tidemark runs did not find or may not use, in which function, and what to do; null
 * for any other error. For operators: it holds names and no values.
 */
export function explainAppCode(error: unknown): string | null {
  const sqlState = sqlStateOf(error) ?? ''
  const said = databaseMessageOf(error)
  if (said === null || !NAMES.test(sqlState)) return null
  const called = functionOf(error)
  const place = called === null ? '' : `, in function ${called}`
  if (sqlState === '42501') return `${said}${place}: grant that to role tidemark_client`
  const remedy =
    called === null
      ? 'name it with its schema'
      : `name it with its schema there, or ALTER FUNCTION ${called} SET search_path = …`
  return `${said}${place}: ${remedy}, or set the search path of the database or of the role that connects (ALTER DATABASE … SET search_path = …)`
}
