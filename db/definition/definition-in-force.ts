import { type DefinitionInForce, definitionSchema } from '../../protocol/index.ts'
import type { Query } from '../query.ts'

/** The definition of this version, or the latest; null where none is stored. */
export async function readDefinitionInForce(
  query: Query,
  version: number | null = null,
): Promise<DefinitionInForce | null> {
  const [row] = await query(
    `SELECT version::text, hash, definition::text FROM tidemark.sync_definition
     WHERE $1::bigint IS NULL OR version = $1::bigint ORDER BY version DESC LIMIT 1`,
    [version],
  )
  return row ? parseDefinitionRow(row) : null
}

/** Reads a row of `tidemark.sync_definition`, as queried or as decoded from the log. */
export function parseDefinitionRow(row: Readonly<Record<string, string | null | undefined>>): DefinitionInForce {
  return {
    version: Number(row.version),
    hash: row.hash ?? '',
    definition: definitionSchema.parse(JSON.parse(row.definition ?? 'null')),
  }
}
