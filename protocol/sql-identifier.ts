/** Quotes a name for SQL text; the only way a name enters a statement. */
export function quoteIdentifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

/** Quotes a text for SQL where no parameter can stand (DDL, COPY). */
export function quoteLiteral(text: string): string {
  const quoted = `'${text.replaceAll("'", "''")}'`
  return text.includes('\\') ? ` E${quoted.replaceAll('\\', '\\\\')}` : quoted
}

/** Returns the qualified name of a table, quoted. */
export function quoteTable(table: { schema: string; name: string }): string {
  return `${quoteIdentifier(table.schema)}.${quoteIdentifier(table.name)}`
}

const PLAIN = /^[a-z_][a-z0-9_$]*$/

/**
 * Returns the text id of a table on the wire and in history: `schema.name`, each part quoted only where a dot could
 * mislead.
 */
export function tableId(table: { schema: string; name: string }): string {
  const part = (name: string) => (PLAIN.test(name) ? name : quoteIdentifier(name))
  return `${part(table.schema)}.${part(table.name)}`
}
