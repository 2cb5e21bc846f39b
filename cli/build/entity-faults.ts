import type { DataSource, EntityMetadata } from 'typeorm'
import { nearest } from '../../db/nearest.ts'
import { drizzleType } from './column-type.ts'
import {
  columnsOf,
  hiddenColumns,
  namedProperties,
  placeOf,
  type SyncedEntity,
  travellingColumns,
} from './synced-entity.ts'

/** Lists what keeps a synced entity from being declared, one sentence each that names the entity, its property and the remedy. */
export function entityFaults(
  entity: SyncedEntity,
  driver: DataSource['driver'],
  synced: readonly SyncedEntity[],
): string[] {
  const { metadata } = entity
  if (metadata.tableType === 'entity-child') {
    return [
      `${metadata.name} shares the table of ${metadata.parentEntityMetadata.name}: put @Synced there and not here.`,
    ]
  }
  return [
    ...audienceFaults(entity, synced),
    ...hiddenFaults(entity),
    ...unselectedFaults(entity),
    ...externalFaults(entity),
    ...keyFaults(entity),
    ...typeFaults(entity, driver),
  ]
}

function audienceFaults(entity: SyncedEntity, synced: readonly SyncedEntity[]): string[] {
  const { metadata, declaration } = entity
  if (declaration.audience === 'all') return []
  if ('via' in declaration.audience) return viaFaults(entity, declaration.audience.via, synced)
  const { column: property } = declaration.audience
  const columns = columnsOf(metadata, property)
  const [column] = columns
  if (column === undefined) return [unknown(metadata, property, 'its audience')]
  if (columns.length > 1) {
    const names = columns.map(({ databaseName }) => databaseName).join(', ')
    return [
      `${metadata.name}.${property} is held by several columns (${names}): name a property of one as its audience.`,
    ]
  }
  return hiddenColumns(entity).has(column)
    ? [`${placeOf(metadata, column)} is its audience, which every replica knows: take it out of hidden.`]
    : []
}

/** A row is seen by whoever sees the row to which the relation leads, so that it must lead to the key of one. */
function viaFaults({ metadata }: SyncedEntity, property: string, synced: readonly SyncedEntity[]): string[] {
  const relation = metadata.relations.find(({ propertyPath }) => propertyPath === property)
  if (relation === undefined || relation.joinColumns.length === 0) {
    const owning = metadata.relations.filter(({ joinColumns }) => joinColumns.length > 0)
    const names = owning.map(({ propertyPath }) => propertyPath)
    const what = `${metadata.name} has no relation ${property} of its own, from which it takes its audience`
    return [names.length === 0 ? `${what}: give it a @ManyToOne to where it belongs.` : what + meant(property, names)]
  }
  const parent = relation.inverseEntityMetadata
  if (!synced.some((one) => one.metadata === parent))
    return [
      `${metadata.name}.${property} gives it the audience of ${parent.name}, which is not synced: give that @Synced.`,
    ]
  const isKey = relation.joinColumns.every(({ referencedColumn }) => referencedColumn?.isPrimary)
  return isKey && relation.joinColumns.length === parent.primaryColumns.length
    ? []
    : [
        `${metadata.name}.${property} does not refer to the key of ${parent.name}: take the audience from a relation that does.`,
      ]
}

function hiddenFaults(entity: SyncedEntity): string[] {
  const { metadata, declaration } = entity
  const missing = (declaration.hidden ?? []).filter((property) => columnsOf(metadata, property).length === 0)
  const keys = [...hiddenColumns(entity)].filter(({ isPrimary }) => isPrimary)
  return [
    ...missing.map((property) => unknown(metadata, property, 'a hidden column')),
    ...keys.map((column) => `${placeOf(metadata, column)} is part of the key: take it out of hidden.`),
  ]
}

/** A column that an app leaves out of its own queries is often a secret. */
function unselectedFaults(entity: SyncedEntity): string[] {
  return travellingColumns(entity)
    .filter(({ isSelect }) => !isSelect)
    .map(
      (column) =>
        `${placeOf(entity.metadata, column)} has select: false and would travel to every replica of its audience: hide it, or take select: false away.`,
    )
}

function externalFaults({ metadata, declaration }: SyncedEntity): string[] {
  const relations = metadata.relations.map(({ propertyPath }) => propertyPath)
  return (declaration.external ?? [])
    .filter((property) => !relations.includes(property))
    .map(
      (property) =>
        `${metadata.name} has no relation ${property}, which it calls external${meant(property, relations)}`,
    )
}

/** Lists entities that a generated module could not tell apart. */
export function sharedNameFaults(synced: readonly SyncedEntity[]): string[] {
  const names = synced.map(({ metadata }) => metadata.name)
  const shared = new Set(names.filter((name, index) => names.indexOf(name) !== index))
  return [...shared].map((name) => `Several synced entities are named ${name}: rename all but one.`)
}

/** Replicas make the keys of the rows that they insert, or lease them of a sequence. */
function keyFaults({ metadata, declaration }: SyncedEntity): string[] {
  if (declaration.write !== 'all') return []
  const made: readonly unknown[] = ['uuid', 'increment', 'identity']
  return metadata.primaryColumns
    .filter((column) => column.isGenerated && !made.includes(column.generationStrategy))
    .map(
      (column) =>
        `${placeOf(metadata, column)} is made by the server, and replicas must make keys themselves: ` +
        `make it @PrimaryGeneratedColumn('uuid') or 'identity', extend BaseEntity, or set write to 'actions'.`,
    )
}

function typeFaults(entity: SyncedEntity, driver: DataSource['driver']): string[] {
  return travellingColumns(entity).flatMap((column) => {
    const type = driver.normalizeType(column)
    if (type === 'enum' || drizzleType(type, column) !== null) return []
    const place = placeOf(entity.metadata, column)
    return [`${place} is of type ${type}, which no replica can hold: hide it or change its type.`]
  })
}

function unknown(metadata: EntityMetadata, property: string, as: string): string {
  return `${metadata.name} has no column ${property}, which it names as ${as}${meant(property, namedProperties(metadata))}`
}

function meant(property: string, known: readonly string[]): string {
  const likely = nearest(property, known)
  return likely === null ? `: use one of ${known.join(', ')}.` : `: did you mean ${likely}?`
}
