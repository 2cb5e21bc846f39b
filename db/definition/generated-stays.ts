import type { Query } from '../query.ts'

/** The facts about a table that decide. */
interface MaybeGenerated {
  readonly schema: string
  readonly name: string
  readonly kind: string
  readonly columns: readonly { readonly generated: string | null }[]
}

/** The server version from which on pgoutput sends stored generated columns. */
export const PUBLISHES_GENERATED_COLUMNS_FROM = 180_000

/**
 * Returns why values of generated columns of these tables cannot travel; null where they can, or none has any.
 *
 * Below that version they travel by wal2json alone, which cannot read a log of partitioned tables.
 */
export async function whyGeneratedStays(query: Query, tables: readonly MaybeGenerated[]): Promise<string | null> {
  if (!tables.some(({ columns }) => columns.some(({ generated }) => generated !== null))) return null
  const [server] = await query(
    `SELECT current_setting('server_version_num') AS version, current_setting('output_plugin_libraries', true) AS libraries,
      to_regclass('tidemark.epoch')::text AS epoch`,
  )
  if (Number(server?.version) >= PUBLISHES_GENERATED_COLUMNS_FROM) return null
  const libraries = server?.libraries ?? 'wal2json'
  if (!libraries.split(',').some((name) => name.trim() === 'wal2json'))
    return 'the server does not allow wal2json (output_plugin_libraries)'
  const partitioned = tables.find(({ kind }) => kind === 'p')
  if (partitioned) return `wal2json cannot read partitioned tables (${partitioned.schema}.${partitioned.name})`
  if (!server?.epoch) return null
  const [epoch] = await query('SELECT decoder FROM tidemark.epoch WHERE ended_at IS NULL')
  return epoch?.decoder === 'pgoutput' ? 'the log is read with pgoutput' : null
}
