import { definitionFault, parseDefinitionRow } from '../../../db/definition/definition-in-force.ts'
import type { RowEvent } from './source-event.ts'
import { planTables } from './table-plan.ts'

/**
 * Says with a row that puts a definition in force by which plans the log is read after it: a record is a barrier at its
 * place, also within its transaction. A definition that nobody can read never came in force.
 */
export function withAnnouncedPlans(event: RowEvent): RowEvent {
  if (event.plan.own !== 'sync_definition' || event.old !== null || event.new === null) return event
  const [version = null, hash = null, definition = null] = event.new
  if (definitionFault(JSON.parse(definition ?? 'null')) !== null) return event
  return { ...event, announces: planTables(parseDefinitionRow({ version, hash, definition })) }
}
