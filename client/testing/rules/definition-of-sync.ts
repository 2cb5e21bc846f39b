import { is, SQL } from 'drizzle-orm'
import { getTableConfig, type PgColumn, PgDialect, PgEnumColumn, type PgTable } from 'drizzle-orm/pg-core'
import type { Sync, SyncTable } from '../../../db/define-sync.ts'
import { type DeclaredTable, declaredTable, nameOfTable } from '../../../db/definition/declared-table.ts'
import { leasedBy } from '../../../db/definition/leased-key.ts'
import { isReplicaDefault } from '../../../db/definition/replica-default.ts'
import {
  type ColumnDefinition,
  type Definition,
  KEPT_AUDIENCE,
  quoteLiteral,
  quoteTable,
  type TableDefinition,
  tableId,
} from '../../../protocol/index.ts'

const dialect = new PgDialect()

/**
 * Makes the definition that a database would have for these drizzle tables: columns, types, keys, unique columns and
 * defaults, and from whom rows take their audience. Foreign keys, checks, triggers and the conditions without which
 * nobody sees a row are the server's and are left out.
 */
export function definitionOfSync(sync: Sync): Definition {
  const entries = Object.values(sync.tables)
  const types = new Map(entries.flatMap(({ table }) => getTableConfig(table).columns.flatMap(enumOf)))
  const tables = entries.map((entry) => tableOf(entry, sync, [...types.values()]))
  return {
    types: [...types.values()],
    tables: tables.sort((a, b) => a.priority - b.priority || (a.id < b.id ? -1 : 1)),
  }
}

function tableOf(entry: SyncTable, sync: Sync, types: Definition['types']): TableDefinition {
  const declared = declaredTable(entry, sync)
  const { schema, name, audience, priority, write } = declared
  const { columns, uniqueConstraints } = getTableConfig(entry.table)
  const shown = columns.filter((column) => declared.columns.includes(column.name))
  const single = shown.filter((column) => column.isUnique).map((column) => [column.name])
  const uniques = [...single, ...uniqueConstraints.map((one) => one.columns.map((column) => column.name))]
  return {
    id: tableId({ schema, name }),
    schema,
    name,
    columns: [
      ...shown.map((column) => columnOf(column, declared, types)),
      ...(declared.kept === null ? [] : [keptColumn(entry, sync, declared)]),
    ],
    primaryKey: primaryKeyOf(entry.table),
    audience,
    ...keptOf(declared, sync),
    priority,
    ...(write === null ? {} : { write }),
    uniques: uniques
      .filter((names) => names.every((column) => declared.columns.includes(column)))
      .map((names) => ({ name: `${name}_${names.join('_')}_key`, columns: names, deferrable: true })),
    indexes: [],
    foreignKeys: [],
  }
}

/** The column in which the server keeps the audience; of the type of the one that names it, however far up. */
function keptColumn({ audience }: SyncTable, sync: Sync, { write }: DeclaredTable): ColumnDefinition {
  let from = audience
  for (let above: SyncTable | undefined; from !== 'all' && 'via' in from; from = above?.audience ?? 'all')
    above = entryOf(sync, from.of)
  const type = from !== 'all' && 'column' in from ? typeOf(from.column) : 'text'
  const kept = { name: KEPT_AUDIENCE, type, notNull: false, generated: null, serverGenerated: true as const }
  return write === null ? kept : { ...kept, serverDefault: true }
}

const entryOf = ({ tables }: Sync, table: PgTable): SyncTable | undefined =>
  Object.values(tables).find((entry) => tableId(nameOfTable(entry)) === tableId(nameOfTable({ table })))

function keptOf({ kept }: DeclaredTable, sync: Sync): Pick<TableDefinition, 'kept'> {
  if (kept === null) return {}
  if (kept.parent === null) return { kept: { column: kept.column ?? '' } }
  const { schema, name, columns, audience } = kept.parent
  const entry = Object.values(sync.tables).find((one) => tableId(nameOfTable(one)) === tableId({ schema, name }))
  const key = entry ? primaryKeyOf(entry.table) : []
  return { kept: { parent: { schema, name, columns: [...columns], key, audience } } }
}

function primaryKeyOf(table: PgTable): string[] {
  const { columns, primaryKeys } = getTableConfig(table)
  const [composite] = primaryKeys
  const single = columns.filter((column) => column.primary).map((column) => column.name)
  return composite ? composite.columns.map((column) => column.name) : single
}

function columnOf(column: PgColumn, { write }: DeclaredTable, types: Definition['types']): ColumnDefinition {
  const plain = { name: column.name, type: typeOf(column), notNull: column.notNull || column.primary, generated: null }
  if (column.generated) {
    const { as } = column.generated
    const expression = typeof as === 'function' ? as() : as
    return { ...plain, generated: is(expression, SQL) ? textOf(expression) : String(expression) }
  }
  if (write === null) return plain
  const counted = isCounted(column)
  const names = nameOfTable({ table: column.table as PgTable })
  if (
    counted &&
    primaryKeyOf(column.table as PgTable).includes(column.name) &&
    /^(smallint|integer|bigint)$/.test(plain.type)
  )
    return { ...plain, ...leasedBy(`${tableId(names)}_${column.name}_seq`, names, column.name) }
  if (!counted && column.default === undefined) return plain
  const text = counted ? null : defaultText(column)
  const facts = { default: text, expression: null, counted, defaultIsOwn: false, defaultTypes: [] }
  if (text === null || !isReplicaDefault(facts, types)) return { ...plain, serverDefault: true }
  return { ...plain, default: text }
}

/** A sequence counts it: only the server knows the next number. */
const isCounted = (column: PgColumn): boolean =>
  /^(big|small)?serial$/.test(column.getSQLType()) || column.generatedIdentity !== undefined

function defaultText(column: PgColumn): string | null {
  const value: unknown = column.default
  if (is(value, SQL)) return textOf(value)
  if (value === null) return 'NULL'
  const driven: unknown = column.mapToDriverValue(value)
  return quoteLiteral(typeof driven === 'object' ? JSON.stringify(driven) : String(driven))
}

/** The text of an expression; null where it has parameters, which no definition holds. */
function textOf(expression: SQL): string | null {
  const { sql, params } = dialect.sqlToQuery(expression)
  return params.length === 0 ? sql : null
}

const SPELLED: readonly (readonly [RegExp, string])[] = [
  [/^bigserial$/, 'bigint'],
  [/^smallserial$/, 'smallint'],
  [/^serial$/, 'integer'],
  [/^varchar\b/, 'character varying'],
  [/^char\b/, 'character'],
  [/^(timestamp|time)( ?\(\d\))?$/, '$1$2 without time zone'],
]

/** The type as Postgres prints it; an enum by its qualified name. */
function typeOf(column: PgColumn): string {
  const [found] = enumOf(column)
  if (found) return found[0]
  const written = column.getSQLType()
  const spelled = SPELLED.find(([pattern]) => pattern.test(written))
  return spelled ? written.replace(...spelled) : written
}

function enumOf(column: PgColumn): [string, Definition['types'][number]][] {
  if (!is(column, PgEnumColumn)) return []
  const { enumName: name, schema = 'public', enumValues } = column.enum
  const type = { schema: schema ?? 'public', name }
  const labels = enumValues.map(quoteLiteral).join(', ')
  return [[tableId(type), { ...type, statement: `CREATE TYPE ${quoteTable(type)} AS ENUM (${labels})` }]]
}
