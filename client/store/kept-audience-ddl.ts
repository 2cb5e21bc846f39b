import { KEPT_AUDIENCE, quoteIdentifier, quoteLiteral, tableId } from '../../protocol/index.ts'
import type { ReplicaTable, ReplicaTables } from './replica-table.ts'
import { PINNED_FUNCTION } from './words-ddl.ts'

const OWN = `NEW.${quoteIdentifier(KEPT_AUDIENCE)}`

/**
 * Makes the trigger that gives a row that the app writes the audience which the server will give it, as far as the rows
 * here show it. Rows of the server come with theirs, while no trigger fires.
 */
export function keptAudienceStatements(table: ReplicaTable, tables: ReplicaTables, position: number): string[] {
  const { kept, write } = table.definition
  if (kept === undefined || write === undefined) return []
  const name = `tidemark.keep_audience_${position}`
  const when =
    kept.when === undefined
      ? ''
      : `IF NOT (SELECT coalesce((${kept.when}), false) FROM (SELECT (NEW).*) AS "its row") THEN ${OWN} := NULL; RETURN NEW; END IF;`
  const body = `#variable_conflict use_column
  BEGIN ${when} ${OWN} := ${audienceOf(table, tables)}; RETURN NEW; END`
  return [
    `CREATE OR REPLACE FUNCTION ${name}() RETURNS trigger LANGUAGE plpgsql ${PINNED_FUNCTION} AS ${quoteLiteral(body)};`,
    `CREATE OR REPLACE TRIGGER tidemark_audience BEFORE INSERT OR UPDATE ON ${table.name} FOR EACH ROW EXECUTE FUNCTION ${name}();`,
  ]
}

function audienceOf({ definition: { kept } }: ReplicaTable, tables: ReplicaTables): string {
  if (kept?.column !== undefined) return `NEW.${quoteIdentifier(kept.column)}`
  const parent = kept?.parent && tables.get(tableId(kept.parent))
  // A parent that this replica cannot hold leaves it to the server.
  if (!kept?.parent || !parent) return OWN
  const { audience, columns, key } = kept.parent
  const its = key
    .map((name, index) => `p.${quoteIdentifier(name)} = NEW.${quoteIdentifier(columns[index] ?? '')}`)
    .join(' AND ')
  return `(SELECT p.${quoteIdentifier(audience)} FROM ${parent.name} AS p WHERE ${its})`
}
