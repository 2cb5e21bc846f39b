import * as z from 'zod/mini'
import {
  type Bundles,
  bundlesSchema,
  type DefinitionInForce,
  definitionSchema,
  NO_BUNDLES,
  tableStepSchema,
  watchedTableSchema,
} from '../../protocol/index.ts'
import type { Query } from '../query.ts'

/** Stored beside the definition, and no part of its hash. */
const besideSchema = z.object({
  watched: z._default(z.array(watchedTableSchema), []),
  keysOnly: z.optional(z.array(z.string())),
  steps: z._default(z.array(tableStepSchema), []),
  names: z._default(z.array(tableStepSchema), []),
  bundles: z._default(bundlesSchema, NO_BUNDLES),
})

const storedSchema = z.intersection(definitionSchema, besideSchema)

/** Names what keeps a stored definition from being read; null where nothing does. */
export function definitionFault(stored: unknown): string | null {
  const issue = storedSchema.safeParse(stored).error?.issues[0]
  return issue ? `${issue.path.join('.') || 'the whole'}: ${issue.message}` : null
}

/**
 * Reads the definition of this version, or the latest; null where none is stored.
 *
 * A definition that nobody can read never came in force: the one before it still is, and names the version passed over.
 */
export async function readDefinitionInForce(
  query: Query,
  version: number | null = null,
): Promise<DefinitionInForce | null> {
  let row = await readRow(query, version)
  if (version !== null && Number(row?.version) !== version) return null
  const latest = Number(row?.version)
  while (row) {
    if (definitionFault(JSON.parse(row.definition ?? 'null')) === null) {
      const read = parseDefinitionRow(row)
      return read.version === latest ? read : { ...read, passedOver: latest }
    }
    row = await readRow(query, Number(row.version) - 1)
  }
  return null
}

/**
 * Reads the latest row up to a version. Qualified in ORDER BY: the bare name would mean the selected text, in which 9
 * is after 10.
 */
async function readRow(query: Query, upTo: number | null): Promise<Record<string, string | null> | undefined> {
  const [row] = await query(
    `SELECT version::text, hash, definition::text FROM tidemark.sync_definition
     WHERE $1::bigint IS NULL OR version <= $1::bigint ORDER BY sync_definition.version DESC LIMIT 1`,
    [upTo],
  )
  return row
}

/** Reads which pages a stored definition is for, whether or not the rest of it can be read. */
export function bundlesOf(stored: string | null | undefined): Bundles {
  const { data } = z.object({ bundles: bundlesSchema }).safeParse(JSON.parse(stored ?? 'null'))
  return data?.bundles ?? NO_BUNDLES
}

/** Reads a row of `tidemark.sync_definition`, as queried or as decoded from the log. */
export function parseDefinitionRow(row: Readonly<Record<string, string | null | undefined>>): DefinitionInForce {
  const stored: unknown = JSON.parse(row.definition ?? 'null')
  return {
    version: Number(row.version),
    hash: row.hash ?? '',
    definition: definitionSchema.parse(stored),
    ...besideSchema.parse(stored),
  }
}
