import { ALTERED_TABLES } from '../../db/definition/table-shape.ts'
import type { Query } from '../../db/query.ts'
import { TidemarkError } from '../../protocol/index.ts'

/** Whether a version later than the one in parameter `known` has tables that were altered below it, nobody knows where. */
export const unplacedBeyond = (known: string) =>
  `EXISTS (SELECT FROM tidemark.table_shape WHERE unplaced AND version > ${known}::bigint)`

/**
 * Throws `schema-drift` where a table was altered behind our back: it may have changed without a trace in what was decoded, so
 * nothing of that may be stored. `unplacedTo`: the last version known of tables that were altered below it.
 */
export async function requireSchema(query: Query, unplacedTo: number): Promise<void> {
  const [row] = await query(
    `SELECT (EXISTS (${ALTERED_TABLES}))::text AS altered, ${unplacedBeyond('$1')}::text AS beyond`,
    [unplacedTo],
  )
  if (row?.altered === 'true') throw new TidemarkError('schema-drift', 'A synced table was altered.')
  if (row?.beyond === 'true')
    throw new TidemarkError('unavailable', 'The sync definition changed while the log was read; it is read again.')
}
