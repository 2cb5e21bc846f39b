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
import { arbiterStatements, markArbiter } from './arbiter-ddl.ts'
import { captureByTable } from './capture-ddl.ts'
import { ASIDE_SCHEMA, type Place, type ReplicaTable, type ReplicaTables, replicaTables } from './replica-table.ts'
import { isAlike } from './rules/alike-tables.ts'

const sameText = (a: unknown, b: unknown) => JSON.stringify(a) === JSON.stringify(b)

/** Makes the table alone, without key or index: those come once it is filled. */
export function createTable(table: ReplicaTable, place: Place): string {
  const columns = place === 'live' ? liveColumns(table.definition) : loadedColumns(table.definition)
  return `CREATE TABLE ${table.name} (${columns});`
}

/** The steps by which tables of one definition become those of another. */
export interface Replacement {
  /** The tables of the earlier definition that go or are made anew. */
  readonly dropped: readonly TableDefinition[]
  /** Ids of the tables that stay as they are, with their rows. */
  readonly kept: ReadonlySet<string>
  readonly statements: readonly string[]
}

/** The parts of a definition that are there as it says, so that nothing is done about them. */
export interface Standing {
  /** Ids of the tables that stay with all that they have, triggers included. */
  readonly untouched: ReadonlySet<string>
  /** Statements that made the triggers and functions of other tables. */
  readonly made: ReadonlySet<string>
}

const NOTHING_STANDS: Standing = { untouched: new Set(), made: new Set() }

/**
 * Drops tables that `after` lacks or has otherwise, makes those that are missing, and changes the others in place.
 *
 * A type that the app's own tables use cannot be dropped: it keeps `suffix` in its name.
 */
export function replaceTables(
  before: Definition | null,
  after: Definition,
  suffix: string,
  { untouched, made }: Standing = NOTHING_STANDS,
): Replacement {
  const old = before ?? { types: [], tables: [] }
  const wanted = new Map(after.tables.map((table) => [table.id, table]))
  const isKept = (table: TableDefinition) => {
    if (untouched.has(table.id)) return true
    const other = wanted.get(table.id)
    return other !== undefined && isAlike(table, old.types, other, after.types)
  }
  const kept = new Set(old.tables.filter(isKept).map(({ id }) => id))
  const dropped = old.tables.filter(({ id }) => !kept.has(id))
  const sameType = (type: Definition['types'][number], types: Definition['types']) =>
    types.some((other) => sameText(other, type))
  const schemasOf = ({ tables, types }: Definition) => new Set([...tables, ...types].map(({ schema }) => schema))
  const present = schemasOf(old)
  const schemas = [...schemasOf(after)].filter((schema) => !present.has(schema))
  const tables = replicaTables(after, 'live')
  const statements = [
    ...dropped.map((table) => `DROP TABLE IF EXISTS ${quoteTable(table)} CASCADE;`),
    ...old.types.filter((type) => !sameType(type, after.types)).map((type) => retireType(type, suffix)),
    ...schemas.map((schema) => `CREATE SCHEMA IF NOT EXISTS ${quoteIdentifier(schema)};`),
    ...after.types.filter((type) => !sameType(type, old.types)).map(({ statement }) => `${statement};`),
    ...[...tables.values()].filter(({ id }) => !kept.has(id)).map((table) => createTable(table, 'live')),
    ...old.tables
      .filter(({ id }) => kept.has(id) && !untouched.has(id))
      .flatMap((table) => changeInPlace(table, wanted.get(table.id))),
    // Postgres would compile each function to find faults in what is written here, and does so again at its first call.
    'SET LOCAL check_function_bodies = off;',
    ...triggersOf(tables, (id) => !untouched.has(id)).filter((statement) => !made.has(statement)),
  ]
  return { dropped, kept, statements }
}

/** Makes the triggers of ours on the tables that `isWanted`, with the functions that they call. */
export function triggersOf(tables: ReplicaTables, isWanted: (id: string) => boolean): string[] {
  const some = [...tables.values()].filter(({ id }) => isWanted(id))
  return [...[...captureByTable(tables, isWanted).values()].flat(), ...arbiterStatements(some)]
}

/**
 * Answers the ids of those of the tables of a copy that a definition has by the same words and in the same place, by which
 * functions are named. What keeps an audience by its parent reads other tables, so that it is not among them.
 */
export function findUntouched(before: ReplicaTables, after: Definition): Set<string> {
  const tables = [...before.values()].map(({ definition }) => definition)
  const isSame = (table: TableDefinition, index: number) =>
    table.kept === undefined && sameText(table, after.tables[index])
  return new Set(tables.filter(isSame).map(({ id }) => id))
}

/** Takes away what a table should no longer have; constraints and indexes that it lacks are made as after a load. */
function changeInPlace(before: TableDefinition, after: TableDefinition | undefined): string[] {
  if (after === undefined) return []
  const name = quoteTable(after)
  const gone = <Item extends { readonly name: string }>(items: readonly Item[], wanted: readonly Item[]) =>
    items.filter((item) => !wanted.some((other) => sameText(other, item)))
  const indexes = gone(before.indexes, after.indexes)
  const constraints = [...gone(before.foreignKeys, after.foreignKeys), ...gone(before.uniques, after.uniques)]
  return [
    ...indexes.map((index) => `DROP INDEX IF EXISTS ${quoteTable({ schema: after.schema, name: index.name })};`),
    ...constraints.map((one) => `ALTER TABLE ${name} DROP CONSTRAINT IF EXISTS ${quoteIdentifier(one.name)} CASCADE;`),
    ...after.columns.flatMap((column, index) => {
      const old = before.columns[index]
      const alter = `ALTER TABLE ${name} ALTER COLUMN ${quoteIdentifier(column.name)}`
      const freed = column.notNull && column.serverDefault === true && old?.serverDefault !== true
      return [
        ...(freed && !after.primaryKey.includes(column.name) ? [`${alter} DROP NOT NULL;`] : []),
        ...(column.default === old?.default
          ? []
          : [column.default === undefined ? `${alter} DROP DEFAULT;` : `${alter} SET DEFAULT (${column.default});`]),
      ]
    }),
  ]
}

/** Answers a suffix that no type's name has yet. */
export const retiredName = () => `retired_${Date.now().toString(36)}`

function retireType(type: Definition['types'][number], suffix: string): string {
  const retired = quoteIdentifier(`${type.name.slice(0, 40)}_${suffix}`)
  return `DO $do$ BEGIN
    EXECUTE ${literal(`DROP TYPE ${quoteTable(type)}`)};
  EXCEPTION WHEN dependent_objects_still_exist THEN
    EXECUTE ${literal(`ALTER TYPE ${quoteTable(type)} RENAME TO ${retired}`)};
  END $do$;`
}

const literal = (text: string) => `'${text.replaceAll("'", "''")}'`

export function createAside(tables: ReplicaTables): string[] {
  return [
    dropAside(),
    `CREATE SCHEMA ${ASIDE_SCHEMA};`,
    ...[...tables.values()].map((table) => createTable(table, 'aside')),
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

/** Answers unique constraints, indexes and foreign keys, in the order in which they can be made. */
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
      table.definition.indexes.map(
        ({ name, statement, unique }): Finishing => ({
          table,
          kind: 'index',
          name,
          statement: unique ? `${statement}; ${markArbiter(table, name)}` : statement,
        }),
      ),
    ),
    ...all.flatMap((table) =>
      table.definition.foreignKeys.map(
        ({ name, statement }): Finishing => ({ table, kind: 'constraint', name, statement }),
      ),
    ),
  ]
}
