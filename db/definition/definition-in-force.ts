import { z } from 'zod'
import { type DefinitionInForce, definitionSchema, watchedTableSchema } from '../../protocol/index.ts'
import type { Query } from '../query.ts'

const watchedSchema = z.object({ watched: z.array(watchedTableSchema).default([]) })

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
  const stored: unknown = JSON.parse(row.definition ?? 'null')
  return {
    version: Number(row.version),
    hash: row.hash ?? '',
    definition: definitionSchema.parse(stored),
    watched: watchedSchema.parse(stored).watched,
  }
}
