export {
  type Action,
  type ActionContext,
  type ActionOptions,
  ActionRefusal,
  type ActionSql,
  type ActionValue,
  action,
  type MapArguments,
  type RekeyArguments,
  readArguments,
  refuse,
} from './action.ts'
export { actionId } from './action-id.ts'
export {
  type Actions,
  type Conflict,
  type ConflictPolicy,
  type ConflictResolver,
  defineSync,
  type Sync,
  type SyncTable,
  type TableOptions,
  table,
  type Watch,
} from './define-sync.ts'
export { type AppliedDefinition, applyDefinition } from './definition/apply-definition.ts'
export { type CatalogueTable, readCatalogue } from './definition/catalogue.ts'
export { declaredNames } from './definition/declared-table.ts'
export { definitionHash } from './definition/definition-hash.ts'
export { parseDefinitionRow, readDefinitionInForce } from './definition/definition-in-force.ts'
export { resolveDefinition } from './definition/resolve-definition.ts'
export { readStart, type TransactionStart } from './definition/transaction-start.ts'
export type { Query } from './query.ts'
export { sha256Hex } from './sha256-hex.ts'
export { type VisibleTables, visibleTables } from './visible-tables.ts'
