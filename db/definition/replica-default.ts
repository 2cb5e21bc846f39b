import type { CatalogueColumn } from './catalogue.ts'
import { isLocaleFree } from './computed-alike.ts'

/**
 * Built-in functions whose result in a replica is what the server's would have been at that moment, in every version.
 */
// biome-ignore format: one list
const SAME_EVERYWHERE = new Set([
  'now', 'clock_timestamp', 'statement_timestamp', 'transaction_timestamp', 'timezone', 'date_trunc', 'date_part', 'make_interval',
  'make_date', 'make_timestamp', 'to_char', 'to_timestamp', 'gen_random_uuid', 'random', 'md5', 'lower', 'upper', 'substr', 'substring',
  'left', 'right', 'lpad', 'rpad', 'trim', 'btrim', 'ltrim', 'rtrim', 'replace', 'repeat', 'reverse', 'concat', 'concat_ws', 'length',
  'coalesce', 'nullif', 'greatest', 'least', 'abs', 'ceil', 'ceiling', 'floor', 'round', 'trunc', 'power', 'sqrt', 'mod', 'encode', 'decode',
  'to_json', 'to_jsonb', 'json_build_object', 'jsonb_build_object', 'json_build_array', 'jsonb_build_array', 'array_fill', 'extract',
  'numeric', 'char', 'character', 'varchar', 'bit', 'interval', 'time', 'timestamp', 'array',
])
/** Words that ask for the user or place of the session: a replica would answer for itself. */
const OF_THE_SESSION =
  /\b(current_user|session_user|system_user|current_role|user|current_catalog|current_schema|current_database)\b/i
const LITERAL = /E?'(?:[^'\\]|''|\\.)*'|"(?:[^"]|"")*"/g
const CALLED = /([a-z_][a-z0-9_]*)\s*\(/gi
/** Words before a parenthesis that call nothing. */
// biome-ignore format: one list
const NOT_CALLS = new Set(['and', 'or', 'not', 'in', 'any', 'all', 'case', 'when', 'then', 'else', 'varying', 'precision', 'zone', 'as', 'from', 'for'])

/**
 * Tells whether a replica can compute a column's default: literals and functions that are the same there, of types it
 * has.
 */
export function isReplicaDefault(
  column: Pick<CatalogueColumn, 'default' | 'expression' | 'counted' | 'defaultIsOwn' | 'defaultTypes'>,
  types: readonly { readonly schema: string; readonly name: string }[],
): boolean {
  if (column.default === null || column.counted || column.defaultIsOwn) return false
  if (column.expression !== null && !isLocaleFree(column.expression)) return false
  const isKnown = ({ schema, name }: { schema: string; name: string }) =>
    types.some((type) => type.schema === schema && type.name === name)
  if (!column.defaultTypes.every(isKnown)) return false
  // A quoted name stands for itself, so that a function named like a word is still seen as a call.
  const bare = column.default.replace(LITERAL, (text) => (text.startsWith('"') ? 'quoted' : "''"))
  if (OF_THE_SESSION.test(bare)) return false
  return [...bare.matchAll(CALLED)].every(([, name = '']) => {
    const called = name.toLowerCase()
    return NOT_CALLS.has(called) || SAME_EVERYWHERE.has(called)
  })
}

/** Answers the expression by which a replica computes a column's default; null where only the server can. */
export function replicaDefault(
  column: Parameters<typeof isReplicaDefault>[0] & Pick<CatalogueColumn, 'randomUuid'>,
  types: Parameters<typeof isReplicaDefault>[1],
): string | null {
  // A replica has no extension, and both make a uuid of version 4 at random.
  if (column.randomUuid) return 'gen_random_uuid()'
  return isReplicaDefault(column, types) ? column.default : null
}
