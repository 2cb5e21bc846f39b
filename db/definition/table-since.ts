import { type Definition, type DefinitionInForce, type TableDefinition, typesOf } from '../../protocol/index.ts'

/**
 * Dates the definition of `version`: each table gets the version since which its rows are what they are.
 *
 * A table that is as it was in the version before keeps the date it had, unless it is among the rewritten.
 */
export function sinceWhen(
  definition: Definition,
  version: number,
  before: Pick<DefinitionInForce, 'version' | 'definition'> | null,
  rewritten: ReadonlySet<string>,
): Definition {
  const sinceOf = (table: TableDefinition): number => {
    const old = before?.definition.tables.find(({ id }) => id === table.id)
    if (!old || !before || rewritten.has(table.id)) return version
    return rowsOf(table, definition) === rowsOf(old, before.definition) ? (old.since ?? before.version) : version
  }
  return { ...definition, tables: definition.tables.map((table) => ({ ...table, since: sinceOf(table) })) }
}

/**
 * Serialises what decides which rows of a table a replica holds, and their values; everything else is changed in place.
 */
function rowsOf(table: TableDefinition, { types }: Definition): string {
  const columns = table.columns.map(({ default: _, serverDefault: _filled, leased: _leased, ...column }) => column)
  return JSON.stringify([columns, table.primaryKey, table.audience, typesOf(table.columns, types)])
}
