export { BaseEntity } from './base-entity.ts'
export { SqlIndex } from './sql-index.ts'
export { Synced, type SyncedOptions } from './synced.ts'
