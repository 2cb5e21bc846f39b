import {
  type Definition,
  liveColumns,
  loadedColumns,
  primaryKeySql,
  quoteIdentifier,
  quoteTable,
  type TableDefinition,
  uniqueSql,
} from '../../protocol/index.ts'
import { captureStatements } from '../outbox/capture-ddl.ts'
import { ASIDE_SCHEMA, type Place, type ReplicaTable, replicaTables } from './replica-table.ts'

const sameText = (a: unknown, b: unknown) => JSON.stringify(a) === JSON.stringify(b)

/** Whether two definitions make the same tables, so that rows can move from one copy to another. */
export function sameTables(a: Definition, b: Definition): boolean {
  return sameText([a.types, a.tables.map(shape)], [b.types, b.tables.map(shape)])
}

function shape({ priority: _, since: _since, ...table }: TableDefinition): unknown {
  return table
}

/** The table alone, without key or index: those come once it is filled. */
export function createTable(table: ReplicaTable, place: Place): string {
  const columns = place === 'live' ? liveColumns(table.definition) : loadedColumns(table.definition)
  return `CREATE TABLE ${table.name} (${columns});`
}

/**
 * Drops what `before` had and `after` has otherwise, then makes what is missing; tables alike in both stay, emptied.
 *
 * A type that the app's own tables use cannot be dropped: it keeps `suffix` in its name.
 */
export function replaceTables(before: Definition | null, after: Definition, suffix: string): string[] {
  const kept = new Set(
    (before?.tables ?? [])
      .filter((table) => after.tables.some((other) => sameText(shape(other), shape(table))))
      .map(({ id }) => id),
  )
  const keptTypes = new Set(
    (before?.types ?? []).filter((type) => after.types.some((other) => sameText(other, type))).map(quoteTable),
  )
  const typesChanged = (before?.types ?? []).some((type) => !keptTypes.has(quoteTable(type)))
  // A kept table may use a type that changes, so with any change of types every table is made anew.
  if (typesChanged) kept.clear()
  const drops = (before?.tables ?? []).map((table) =>
    kept.has(table.id) ? `DELETE FROM ${quoteTable(table)};` : `DROP TABLE IF EXISTS ${quoteTable(table)} CASCADE;`,
  )
  const oldTypes = (before?.types ?? [])
    .filter((type) => !keptTypes.has(quoteTable(type)))
    .map((type) => retireType(type, suffix))
  const schemas = new Set([...after.tables, ...after.types].map(({ schema }) => schema))
  const tables = replicaTables(after, 'live')
  return [
    ...drops,
    ...oldTypes,
    ...[...schemas].map((schema) => `CREATE SCHEMA IF NOT EXISTS ${quoteIdentifier(schema)};`),
    ...after.types.filter((type) => !keptTypes.has(quoteTable(type))).map(({ statement }) => `${statement};`),
    ...[...tables.values()].filter(({ id }) => !kept.has(id)).map((table) => createTable(table, 'live')),
    ...captureStatements(tables),
  ]
}

function retireType(type: Definition['types'][number], suffix: string): string {
  const retired = quoteIdentifier(`${type.name.slice(0, 40)}_${suffix}`)
  return `DO $do$ BEGIN
    EXECUTE ${literal(`DROP TYPE ${quoteTable(type)}`)};
  EXCEPTION WHEN dependent_objects_still_exist THEN
    EXECUTE ${literal(`ALTER TYPE ${quoteTable(type)} RENAME TO ${retired}`)};
  END $do$;`
}

const literal = (text: string) => `'${text.replaceAll("'", "''")}'`

export function createAside(definition: Definition): string[] {
  return [
    dropAside(),
    `CREATE SCHEMA ${ASIDE_SCHEMA};`,
    ...[...replicaTables(definition, 'aside').values()].map((table) => createTable(table, 'aside')),
  ]
}

export function dropAside(): string {
  return `DROP SCHEMA IF EXISTS ${ASIDE_SCHEMA} CASCADE;`
}

export function addPrimaryKey(table: ReplicaTable): string {
  return primaryKeySql(table.name, table.definition)
}

/** A statement of a table's secondary objects, with the name by which to see whether it is there already. */
export interface Finishing {
  readonly table: ReplicaTable
  readonly kind: 'constraint' | 'index'
  readonly name: string
  readonly statement: string
}

/** Unique constraints, indexes and foreign keys, in the order in which they can be made. */
export function finishings(tables: Iterable<ReplicaTable>): Finishing[] {
  const all = [...tables]
  return [
    ...all.flatMap((table) =>
      table.definition.uniques.map((unique): Finishing => {
        const { name } = unique
        return { table, kind: 'constraint', name, statement: uniqueSql(table.name, unique) }
      }),
    ),
    ...all.flatMap((table) =>
      table.definition.indexes.map(({ name, statement }): Finishing => ({ table, kind: 'index', name, statement })),
    ),
    ...all.flatMap((table) =>
      table.definition.foreignKeys.map(
        ({ name, statement }): Finishing => ({ table, kind: 'constraint', name, statement }),
      ),
    ),
  ]
}
