import type { Definition, DefinitionInForce } from '../../protocol/index.ts'
import { replaceTables } from '../store/definition-ddl.ts'

/** The tables of a later definition that keep their rows, and those loaded beside; changes of others are ignored. */
export interface RenewedTables {
  readonly kept: ReadonlySet<string>
  readonly renewed: ReadonlySet<string>
}

/** Finds the tables of a replica with `before` that hold by `after` too, and those that are renewed. Rule HYD-R6. */
export function renewedTables(before: DefinitionInForce, after: DefinitionInForce): RenewedTables {
  const alike = replaceTables(before.definition, after.definition, 'x').kept
  const holds = ({ id, since = after.version }: Definition['tables'][number]) =>
    since <= before.version && alike.has(id)
  const kept = new Set(after.definition.tables.filter(holds).map(({ id }) => id))
  return { kept, renewed: new Set(after.definition.tables.map(({ id }) => id).filter((id) => !kept.has(id))) }
}
