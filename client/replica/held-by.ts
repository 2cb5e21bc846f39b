import type { Copy } from '../store/copies.ts'
import { heldDefinition } from '../store/held-tables.ts'
import type { Held } from './rules/plan-versions.ts'

/** Answers what a copy has, as versions are planned from it. */
export function heldBy({ definition, refused, behind, owed }: Copy): Held {
  return {
    version: definition.version,
    definition: heldDefinition(definition.definition, refused),
    behind: new Set([...behind, ...Object.keys(refused)]),
    owed,
  }
}
