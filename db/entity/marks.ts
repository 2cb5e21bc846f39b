import { TidemarkError } from '../../protocol/errors.ts'

/**
 * Kept on the classes themselves under registered symbols, because an app's bundle of its entities has a copy of this
 * module of its own.
 */
const SYNCED = Symbol.for('tidemark.synced')
const BASE = Symbol.for('tidemark.base-entity')

/** The declaration of one synced entity; columns and relations go by the names of its properties. */
export interface SyncedDeclaration {
  readonly audience: 'all' | { readonly column: string; readonly prefix: string }
  readonly hidden?: readonly string[]
  readonly external?: readonly string[]
  readonly write?: 'all' | 'actions' | 'none'
  readonly conflict?: 'reject' | 'last-write-wins'
  readonly priority?: number
}

/** Throws `misconfigured` for a class that has a declaration. */
export function markSynced(entity: { readonly name: string }, declaration: SyncedDeclaration): void {
  if (syncedDeclaration(entity) !== null)
    throw new TidemarkError('misconfigured', `${entity.name} has two @Synced: keep one.`)
  Object.defineProperty(entity, SYNCED, { value: declaration })
}

/** Returns the declaration of a class itself, never that of a class it extends; null where it has none. */
export function syncedDeclaration(entity: object): SyncedDeclaration | null {
  return Object.hasOwn(entity, SYNCED) ? (entity as { [SYNCED]: SyncedDeclaration })[SYNCED] : null
}

export function markBaseEntity(entity: object): void {
  Object.defineProperty(entity, BASE, { value: true })
}

/** Tells whether a class is a `BaseEntity` or extends it. */
export function isBaseEntity(entity: object): boolean {
  return BASE in entity
}
