import { TidemarkError } from '../../protocol/errors.ts'

/**
 * Kept on the classes themselves under registered symbols, because an app's bundle of its entities has a copy of this
 * module of its own.
 */
const SYNCED = Symbol.for('tidemark.synced')
const BASE = Symbol.for('tidemark.base-entity')
const INDEXES = Symbol.for('tidemark.sql-indexes')

/** The declaration of one synced entity; columns and relations go by the names of its properties. */
export interface SyncedDeclaration {
  readonly audience: 'all' | { readonly column: string; readonly prefix: string } | { readonly via: string }
  readonly when?: string
  readonly hidden?: readonly string[]
  readonly external?: readonly string[]
  readonly write?: 'all' | 'actions' | 'none'
  readonly conflict?: 'reject' | 'last-write-wins'
  readonly priority?: number
  readonly history?: 'all' | 'keys'
}

/** An index in the words of SQL. */
export interface SqlIndexDeclaration {
  readonly name: string
  /** The text that follows the table in `CREATE INDEX`. */
  readonly on: string
  readonly unique: boolean
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

export function markIndex(entity: object, index: SqlIndexDeclaration): void {
  Object.defineProperty(entity, INDEXES, { value: [...sqlIndexes(entity), index], configurable: true })
}

/** Returns the indexes of a class itself, never those of a class it extends, as a name is one table's. */
export function sqlIndexes(entity: object): readonly SqlIndexDeclaration[] {
  return Object.hasOwn(entity, INDEXES) ? (entity as { [INDEXES]: readonly SqlIndexDeclaration[] })[INDEXES] : []
}
