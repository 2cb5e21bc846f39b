import { markSynced } from './marks.ts'

/** Options of a synced entity; `Named` are the properties that they name. */
export interface SyncedOptions<Named extends string = string> {
  /** The audience of a row: `prefix:value` of a column, that of the row to which a relation leads (`via`), or `'all'`. */
  audience: 'all' | { column: Named; prefix: string } | { via: Named }
  /** A condition in SQL over the row's own columns, immutable; rows for which it does not hold are seen by nobody. */
  when?: string
  /** Columns that never leave the server; the generated module does not name them. */
  hidden?: readonly Named[]
  /** Relations to entities that are not synced: replicas hold their ids and nothing to look up under them. */
  external?: readonly Named[]
  /** The way to write the table through a replica: any local SQL, actions alone, or none. Default `none`. */
  write?: 'all' | 'actions' | 'none'
  /** The policy that decides conflicts of patches, field by field; a resolver is added in `sync.ts`. Default `reject`. */
  conflict?: 'reject' | 'last-write-wins'
  /** Lower loads first; tables of one priority load smaller first. Default 100. */
  priority?: number
  /** What history keeps of former values: those of updates and deletes, or only the keys of rows. Default `all`. */
  history?: 'all' | 'keys'
}

/** The property of the entity itself in a path into an embedded one, such as `address.city`. */
type Head<Path extends string> = Path extends `${infer First}.${string}` ? First : Path

/**
 * Declares that an entity is synced, and how; `tidemark build` makes its part of the sync definition.
 *
 * Naming a property that the entity lacks does not compile.
 */
export function Synced<Named extends string = never>(
  options: SyncedOptions<Named>,
): (entity: abstract new (...args: never[]) => Record<Head<Named>, unknown>) => void {
  return (entity) => markSynced(entity, options)
}
