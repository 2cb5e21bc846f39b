import { TidemarkError } from '../../protocol/errors.ts'
import { quoteIdentifier } from '../../protocol/sql-identifier.ts'
import { databaseMessageOf } from '../../workers/database/index.ts'
import type { AppEntities } from '../build/load-entities.ts'
import { dataSourceOptions } from '../build/read-metadata.ts'
import { statementsUnknownToTypeorm } from '../build/unknown-to-typeorm.ts'
import { hasVersionTrigger, VERSION_FUNCTION_SQL, versionTriggerSql } from '../build/version-trigger.ts'
import type { ScratchDatabase } from './scratch.ts'
import { factsOf, readFacts, type SchemaFacts } from './table-facts.ts'

/**
 * Lets TypeORM make the tables in an empty database, and adds what it does not know of. Throws `misconfigured` for what
 * Postgres refuses.
 */
export async function makeEntityTables(
  app: AppEntities,
  database: ScratchDatabase,
  extensions: readonly string[],
): Promise<SchemaFacts> {
  const source = new app.typeorm.DataSource({ ...dataSourceOptions(app), url: database.url })
  try {
    await source.initialize()
    // Their types may be those of columns that stay on the server.
    for (const name of extensions) await source.query(`CREATE EXTENSION IF NOT EXISTS ${quoteIdentifier(name)} CASCADE`)
    const made = source.entityMetadatas.filter(({ tableType, synchronize }) => synchronize && tableType !== 'view')
    for (const schema of new Set(made.flatMap(({ schema }) => schema ?? [])))
      await source.query(`CREATE SCHEMA IF NOT EXISTS ${quoteIdentifier(schema)}`)
    await source.synchronize()
    for (const statement of made.flatMap(statementsUnknownToTypeorm)) await source.query(statement)
    const counted = made.filter(hasVersionTrigger)
    if (counted.length > 0) await source.query(VERSION_FUNCTION_SQL)
    for (const metadata of counted) await source.query(versionTriggerSql(metadata))
    const facts = await readFacts(database.query)
    return factsOf(facts, (table) =>
      made.some(({ schema, tableName }) => (schema ?? 'public') === table.schema && tableName === table.name),
    )
  } catch (error) {
    const reason = databaseMessageOf(error) ?? (error instanceof Error ? error.message : String(error))
    throw new TidemarkError('misconfigured', `TypeORM cannot make the tables of the entities: ${reason}`, {
      cause: error,
    })
  } finally {
    if (source.isInitialized) await source.destroy()
  }
}
