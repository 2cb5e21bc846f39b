import type { EntityMetadata } from 'typeorm'
import { type SyncedDeclaration, syncedDeclaration } from '../../db/entity/marks.ts'

export type ColumnMetadata = EntityMetadata['columns'][number]

/** An entity whose rows travel. */
export interface SyncedEntity {
  readonly metadata: EntityMetadata
  readonly declaration: SyncedDeclaration
}

/** Returns the entities that are declared synced, in the order given. */
export function syncedAmong(entities: readonly EntityMetadata[]): SyncedEntity[] {
  return entities.flatMap((metadata) => {
    const declaration = typeof metadata.target === 'function' ? syncedDeclaration(metadata.target) : null
    return declaration === null ? [] : [{ metadata, declaration }]
  })
}

/** Returns the columns in the table of an entity. */
export function tableColumns(metadata: EntityMetadata): ColumnMetadata[] {
  return metadata.columns.filter((column) => !column.isVirtualProperty)
}

/** Returns the columns that a property stands for: its own, or those that hold a relation. */
export function columnsOf(metadata: EntityMetadata, property: string): ColumnMetadata[] {
  const own = tableColumns(metadata).filter((column) => !column.isVirtual && column.propertyPath === property)
  if (own.length > 0) return own
  return metadata.relations.find(({ propertyPath }) => propertyPath === property)?.joinColumns ?? []
}

/** Returns the properties by which `columnsOf` finds columns. */
export function namedProperties(metadata: EntityMetadata): string[] {
  const columns = tableColumns(metadata).filter((column) => !column.isVirtual)
  const relations = metadata.relations.filter(({ joinColumns }) => joinColumns.length > 0)
  return [...columns, ...relations].map(({ propertyPath }) => propertyPath)
}

export function hiddenColumns({ metadata, declaration }: SyncedEntity): Set<ColumnMetadata> {
  return new Set((declaration.hidden ?? []).flatMap((property) => columnsOf(metadata, property)))
}

/** Returns the columns that travel, the key first. */
export function travellingColumns(entity: SyncedEntity): ColumnMetadata[] {
  const hidden = hiddenColumns(entity)
  const columns = tableColumns(entity.metadata).filter((column) => !hidden.has(column))
  return [...columns.filter(({ isPrimary }) => isPrimary), ...columns.filter(({ isPrimary }) => !isPrimary)]
}

/** Names a column as its entity does: by its property, or that of the relation that it holds. */
export function placeOf(metadata: EntityMetadata, column: ColumnMetadata): string {
  const property = column.isVirtual ? column.relationMetadata?.propertyPath : column.propertyPath
  return `${metadata.name}.${property ?? column.databaseName}`
}
