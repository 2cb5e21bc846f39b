import type { DefinitionInForce } from '../../protocol/index.ts'
import type { Query } from '../query.ts'
import { compareShapes, type Drift } from './compare-shapes.ts'
import { readDefinitionInForce } from './definition-in-force.ts'
import { ALTERED_TABLES, readShapes } from './table-shape.ts'

export interface DriftFound extends Drift {
  /** This transaction altered the table, and none had before it: only rows above its commit are of the new kind. */
  readonly placed: boolean
}

/**
 * Finds the tables of a definition that drifted since it came in force; those in `known` had drifted when the
 * transaction began.
 */
export async function findDrift(
  query: Query,
  inForce: DefinitionInForce,
  known: ReadonlySet<string> = new Set(),
): Promise<DriftFound[]> {
  const shapes = await readShapes(query, inForce)
  return compareShapes(inForce, shapes).map((drift) => ({
    ...drift,
    placed: shapes.get(drift.table)?.touched === true && !known.has(drift.table),
  }))
}

/**
 * Tells whether the tables hold, or are, something else than the latest definition says. Cheap where nothing was
 * altered.
 */
export async function hasDrifted(query: Query): Promise<boolean> {
  if ((await query(ALTERED_TABLES)).length === 0) return false
  const inForce = await readDefinitionInForce(query)
  return inForce !== null && (await findDrift(query, inForce)).length > 0
}
