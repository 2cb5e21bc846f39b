import { is, SQL, type SQLChunk, sql } from 'drizzle-orm'
import { getTableConfig, PgColumn, PgDialect, type PgTable } from 'drizzle-orm/pg-core'

const dialect = new PgDialect()

/** Names columns alone, because a condition is read where their table has another name. */
function plainly(chunk: SQLChunk): SQLChunk {
  if (is(chunk, PgColumn)) return sql.identifier(chunk.name)
  return is(chunk, SQL) ? new SQL(chunk.queryChunks.map(plainly)) : chunk
}

function columnsOf(chunk: SQLChunk): PgColumn[] {
  if (is(chunk, PgColumn)) return [chunk]
  return is(chunk, SQL) ? chunk.queryChunks.flatMap(columnsOf) : []
}

/** Returns a condition as SQL text, its columns unqualified and its parameters written out. */
export function conditionText(when: SQL): string {
  return dialect.sqlToQuery(new SQL(when.queryChunks.map(plainly)).inlineParams()).sql.trim()
}

/** Lists what is wrong with a condition by itself, worded to follow its place. */
export function conditionFaults(when: SQL, table: PgTable): string[] {
  const nameOf = (of: PgTable) => getTableConfig(of).name
  const stranger = columnsOf(when).find((column) => nameOf(column.table) !== nameOf(table))
  if (stranger)
    return [`names column ${stranger.name} of table ${nameOf(stranger.table)}: take columns of ${nameOf(table)} alone`]
  return conditionText(when) === '' ? ['is empty: leave it out, or say which rows are seen'] : []
}

/** A word, a quoted name, or a text constant; comments and dollar quotes are not told apart, which only costs a prediction. */
const TOKENS = /'(?:[^']|'')*'|"(?:[^"]|"")*"|[\p{L}_][\p{L}\p{N}_$]*|\d+(?:\.\d+)?|\./gu

/**
 * Tells whether a replica can decide a condition as the server does: it names no column that the replica lacks, and
 * nothing by a schema, as everything that is not built in must be named.
 */
export function isKnownToReplicas(when: string, columns: readonly string[], visible: readonly string[]): boolean {
  const unseen = new Set(columns.filter((name) => !visible.includes(name)))
  const tokens = [...when.matchAll(TOKENS)].map(([token]) => token).filter((token) => !token.startsWith("'"))
  return tokens.every((token) => {
    const name = token.startsWith('"') ? token.slice(1, -1).replaceAll('""', '"') : token.toLowerCase()
    return token !== '.' && !unseen.has(name)
  })
}
