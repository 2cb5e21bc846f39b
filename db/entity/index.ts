export { BaseEntity } from './base-entity.ts'
export { Synced, type SyncedOptions } from './synced.ts'
