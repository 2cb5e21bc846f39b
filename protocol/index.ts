export { isAudienceName } from './audience-name.ts'
export { type Bundles, bundleStanding, bundlesSchema, NO_BUNDLES } from './bundle-standing.ts'
export {
  type Change,
  PINNED_SETTINGS,
  type Row,
  type Transaction,
  type TransactionMutation,
  type Value,
} from './change.ts'
export { decodeChange, encodeChange } from './change-codec.ts'
export * from './convert-values.ts'
export * from './definition.ts'
export { type DefinitionAnswer, definitionAnswerSchema } from './definition-answer.ts'
export { enumLabels } from './enum-labels.ts'
export {
  ERROR_RULES,
  type ErrorKind,
  kindOfCloseCode,
  type RetryRule,
  TidemarkError,
  toTidemarkError,
} from './errors.ts'
export * from './frames-down.ts'
export * from './frames-up.ts'
export * from './history-answer.ts'
export * from './limits.ts'
export * from './lsn.ts'
export { type Manifest, type ManifestChunk, type ManifestTable, manifestSchema } from './manifest.ts'
export * from './map-version.ts'
export { decodeMarked, MarkerEncoder } from './marker.ts'
export * from './migrations-answer.ts'
export * from './mutation.ts'
export { counterOf, type MutationId, mutationId } from './mutation-id.ts'
export { isNeverEscaped, outputExpression, printedSql } from './output-sql.ts'
export { liveColumns, loadedColumns, primaryKeySql, uniqueSql } from './replica-ddl.ts'
export { rowDigestSql } from './row-digest.ts'
export { quoteIdentifier, quoteLiteral, quoteTable, tableId } from './sql-identifier.ts'
export { type SumsAnswer, sumsAnswerSchema } from './sums-answer.ts'
export * from './table-step.ts'
export { extendXid, isVisibleIn, type PgSnapshot, parsePgSnapshot, type Xid } from './xid-visibility.ts'
