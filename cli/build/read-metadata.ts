import type { DataSource, DataSourceOptions, EntityMetadata } from 'typeorm'
import { TidemarkError } from '../../protocol/errors.ts'
import type { AppEntities } from './load-entities.ts'
import type { ColumnMetadata } from './synced-entity.ts'

/** The entities as TypeORM understands them. */
export interface EntityModel {
  readonly dataSource: DataSource
  /** Those with a table of their own or a parent's, by the names of their classes. */
  readonly entities: readonly EntityMetadata[]
  /** Returns the type that an entity itself gives a column, normalised; null where it gives none. */
  declaredType(column: ColumnMetadata): string | null
  /** TypeORM's own objection to them; null for none. */
  readonly objection: string | null
}

/** Settings under which TypeORM thinks of a database as Tidemark's migrations leave it. */
export function dataSourceOptions({ classes, namingStrategy }: AppEntities) {
  return {
    type: 'postgres',
    entities: [...classes],
    // Keys by gen_random_uuid(), which Postgres has without an extension and replicas can compute.
    uuidExtension: 'pgcrypto',
    installExtensions: false,
    ...(namingStrategy ? { namingStrategy } : {}),
  } as const satisfies DataSourceOptions
}

/** Builds the metadata of an app's entities without a database. Throws `bad-input` for what TypeORM cannot build. */
export async function readMetadata(app: AppEntities): Promise<EntityModel> {
  /** The step that `initialize` takes after connecting, alone. */
  class UnconnectedSource extends app.typeorm.DataSource {
    async build(): Promise<string | null> {
      try {
        await this.buildMetadatas()
        return null
      } catch (error) {
        return error instanceof Error ? error.message : String(error)
      }
    }
  }
  // An empty driver, because the real one is needed for connections alone.
  const dataSource = new UnconnectedSource({ ...dataSourceOptions(app), driver: {} })
  const objection = await dataSource.build()
  const entities = dataSource.entityMetadatas
    .filter(({ isJunction, tableType }) => !isJunction && tableType !== 'view')
    .sort((a, b) => (a.name < b.name ? -1 : 1))
  if (entities.length === 0)
    throw new TidemarkError('bad-input', `TypeORM cannot read the entities: ${objection ?? 'there is none'}`)
  // A column that holds a relation has taken its key's type by now, whatever its own decorator said.
  const declaredType = (column: ColumnMetadata): string | null => {
    const { inheritanceTree } = column.entityMetadata
    const given = app.typeorm
      .getMetadataArgsStorage()
      .columns.find(
        ({ target, propertyName }) =>
          propertyName === column.propertyName && typeof target === 'function' && inheritanceTree.includes(target),
      )
    return given?.options.type ? dataSource.driver.normalizeType({ type: given.options.type }) : null
  }
  return { dataSource, entities, objection, declaredType }
}
