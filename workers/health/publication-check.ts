import { OWN_SCHEMA, OWN_TABLES } from '../../db/definition/own-tables.ts'
import type { Query } from '../../db/query.ts'
import { tableId } from '../../protocol/index.ts'
import type { HealthCheck } from '../contracts.ts'
import { failCheck, okCheck } from './health-check.ts'

export interface PublicationFacts {
  /** Table ids. */
  readonly tables: readonly string[]
  readonly allOperations: boolean
  readonly viaRoot: boolean
}

const REMEDY = 'run `tidemark migrate`'

/**
 * Judges whether the publication carries every synced table and our own, with all operations; null facts: it does not
 * exist.
 */
export function publicationCheck(facts: PublicationFacts | null, syncedTables: readonly string[]): HealthCheck {
  const name = 'publication'
  if (facts === null) return failCheck(name, `The publication tidemark does not exist: ${REMEDY}.`)
  const own = OWN_TABLES.map((table) => tableId({ schema: OWN_SCHEMA, name: table.name }))
  const missing = [...own, ...syncedTables].filter((table) => !facts.tables.includes(table))
  if (missing.length > 0)
    return failCheck(name, `The publication tidemark lacks ${missing.join(', ')}: ${REMEDY}.`, {
      value: missing.length,
      unit: 'tables',
    })
  if (!facts.allOperations) {
    return failCheck(
      name,
      "The publication tidemark leaves operations out: ALTER PUBLICATION tidemark SET (publish = 'insert, update, delete, truncate').",
    )
  }
  if (!facts.viaRoot) {
    return failCheck(
      name,
      'Partitions would travel under their own names: ALTER PUBLICATION tidemark SET (publish_via_partition_root = true).',
    )
  }
  return okCheck(name, { value: facts.tables.length, unit: 'tables' })
}

const PUBLICATION = `
  SELECT (pubinsert AND pubupdate AND pubdelete AND pubtruncate)::text AS all_operations, pubviaroot::text AS via_root,
    coalesce((SELECT json_agg(json_build_object('schema', schemaname::text, 'name', tablename::text))
      FROM pg_publication_tables WHERE pubname = 'tidemark'), '[]')::text AS tables
  FROM pg_publication WHERE pubname = 'tidemark'`

export async function checkPublication(query: Query, syncedTables: readonly string[]): Promise<HealthCheck[]> {
  const [row] = await query(PUBLICATION)
  if (!row) return [publicationCheck(null, syncedTables)]
  const tables: { schema: string; name: string }[] = JSON.parse(row.tables ?? '[]')
  const facts = {
    tables: tables.map(tableId),
    allOperations: row.all_operations === 'true',
    viaRoot: row.via_root === 'true',
  }
  return [publicationCheck(facts, syncedTables)]
}
