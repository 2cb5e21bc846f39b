import { type Definition, typesOf } from '../../protocol/index.ts'
import { type Place, type ReplicaTables, replicaTables } from './replica-table.ts'

/** The tables of the definition in force that this replica cannot hold, by id, and why; the others go on. */
export type Refused = Readonly<Record<string, string>>

/** Answers the definition without the tables that are refused. */
export function heldDefinition(definition: Definition, refused: Refused): Definition {
  if (Object.keys(refused).length === 0) return definition
  const tables = definition.tables.filter(({ id }) => !(id in refused))
  const columns = tables.flatMap((table) => table.columns)
  return { types: typesOf(columns, definition.types), tables }
}

/** Works as `replicaTables`, without the tables that are refused. */
export function heldTables(definition: Definition, refused: Refused, place: Place): ReplicaTables {
  return new Map([...replicaTables(definition, place)].filter(([id]) => !(id in refused)))
}
