import type { DataSource, EntityMetadata } from 'typeorm'
import type { EntityModel } from './read-metadata.ts'
import { hiddenColumns, placeOf, type SyncedEntity } from './synced-entity.ts'

type Relation = EntityMetadata['relations'][number]

const nameOf = ({ entityMetadata, propertyPath }: Relation) => `${entityMetadata.name}.${propertyPath}`

/** Lists the faults in how entities refer to each other, synced or not, one sentence each. */
export function relationFaults(
  { entities, dataSource, declaredType }: EntityModel,
  synced: readonly SyncedEntity[],
): string[] {
  const relations = entities.flatMap((entity) => entity.relations)
  return [
    ...relations.flatMap(inverseFaults),
    ...relations.flatMap((relation) => typeFaults(relation, dataSource.driver, declaredType)),
    ...synced.flatMap((entity) => outsideFaults(entity, synced)),
    ...circleFaults(entities),
  ]
}

function inverseFaults(relation: Relation): string[] {
  const { inverseEntityMetadata: other, inverseRelation: inverse } = relation
  if (inverse === undefined) {
    // Only the side without columns of its own cannot do without the other.
    const isNamed = relation.givenInverseSidePropertyFactory !== undefined
    if (!isNamed && (relation.isOwning || relation.isManyToMany)) return []
    const what = isNamed ? 'names an inverse that is no relation of' : 'has no inverse in'
    return [
      `${nameOf(relation)} ${what} ${other.name}: give ${other.name} a relation to ${relation.entityMetadata.name}, and name its property here.`,
    ]
  }
  const back = inverse.inverseEntityMetadata
  if (back === relation.entityMetadata || back.inheritanceTree.some((type) => type === relation.entityMetadata.target))
    return []
  if (relation.entityMetadata.inheritanceTree.some((type) => type === back.target)) return []
  return [
    `${nameOf(relation)} names ${nameOf(inverse)} as its inverse, which leads to ${back.name}: name a relation to ${relation.entityMetadata.name}.`,
  ]
}

function typeFaults(
  relation: Relation,
  driver: DataSource['driver'],
  declaredType: EntityModel['declaredType'],
): string[] {
  return relation.joinColumns.flatMap((column) => {
    const { referencedColumn } = column
    if (referencedColumn === undefined) return []
    const [own, other] = [column.isVirtual ? null : declaredType(column), driver.normalizeType(referencedColumn)]
    if (own === null || own === other) return []
    const target = placeOf(relation.inverseEntityMetadata, referencedColumn)
    return [
      `${placeOf(relation.entityMetadata, column)} is of type ${own} and refers to ${target} of type ${other}: give both one type.`,
    ]
  })
}

/** A replica holds nothing under the id of a row that is not synced, so that this has to be meant. */
function outsideFaults(entity: SyncedEntity, synced: readonly SyncedEntity[]): string[] {
  const { metadata, declaration } = entity
  const hidden = hiddenColumns(entity)
  return metadata.relations.flatMap((relation) => {
    if (declaration.external?.includes(relation.propertyPath)) return []
    const other = relation.inverseEntityMetadata
    if (relation.isManyToManyOwner) {
      return [
        `${nameOf(relation)} lies in a table without an entity, which cannot be synced: ` +
          `make an entity of it with a relation to ${metadata.name} and one to ${other.name}, or name it under external.`,
      ]
    }
    const travels = relation.joinColumns.some((column) => !hidden.has(column))
    const isSynced = synced.some((candidate) => candidate.metadata.tablePath === other.tablePath)
    if (!travels || isSynced) return []
    return [
      `${nameOf(relation)} refers to ${other.name}, which is not synced: ` +
        `give ${other.name} @Synced, hide ${relation.propertyPath}, or name it under external.`,
    ]
  })
}

/** Finds rows that could never be the first: each needs another one that needs it. */
function circleFaults(entities: readonly EntityMetadata[]): string[] {
  const needs = (entity: EntityMetadata) =>
    entity.relations.filter(
      ({ joinColumns, deferrable, createForeignKeyConstraints }) =>
        joinColumns.length > 0 &&
        joinColumns.every(({ isNullable }) => !isNullable) &&
        createForeignKeyConstraints &&
        deferrable !== 'INITIALLY DEFERRED',
    )
  const faults: string[] = []
  const done = new Set<EntityMetadata>()
  const walk = (entity: EntityMetadata, trail: readonly Relation[]): void => {
    const start = trail.findIndex(({ entityMetadata }) => entityMetadata === entity)
    if (start !== -1) faults.push(circleFault(trail.slice(start)))
    if (start !== -1 || done.has(entity)) return
    for (const relation of needs(entity)) walk(relation.inverseEntityMetadata, [...trail, relation])
    done.add(entity)
  }
  for (const entity of entities) walk(entity, [])
  return faults
}

function circleFault(circle: readonly Relation[]): string {
  const names = circle.map(nameOf)
  const what =
    names.length === 1 ? `${names[0]} needs a row of its own table` : `${names.join(' and ')} need each other`
  return `${what}, so that no first row can be written: make ${names[0]} nullable.`
}
