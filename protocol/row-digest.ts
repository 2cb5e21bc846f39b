import type { ColumnDefinition } from './definition.ts'
import { outputExpression } from './output-sql.ts'
import { quoteIdentifier } from './sql-identifier.ts'

/**
 * Returns SQL for a number of 60 bits that differs, but for chance, where the text of any of these columns does: the same in
 * Postgres and in a replica under the pinned settings. Numbers of rows are added up, so that no order is needed.
 *
 * Each value stands with its length before it, so that no two rows print the same.
 */
export function rowDigestSql(columns: readonly ColumnDefinition[]): string {
  const fields = columns.map((column) => {
    const text = outputExpression(column)
    // `IS NULL` would be true for a row value made of NULLs, and `format` prints NULL as an empty text.
    return `CASE WHEN ${quoteIdentifier(column.name)} IS NOT DISTINCT FROM NULL THEN '-' ELSE length(${text}) || ':' || ${text} END`
  })
  const line = fields.length === 0 ? `''` : fields.join(' || ')
  return `('x' || substr(md5(${line}), 1, 15))::bit(60)::bigint`
}
