import {
  type AudienceRule,
  type ColumnDefinition,
  type Definition,
  outputExpression,
  quoteIdentifier,
  quoteTable,
  type Row,
  type TableDefinition,
  TidemarkError,
  travellingColumns,
  typesOf,
  type Value,
} from '../../protocol/index.ts'

/** One of a replica's two copies: the one the app sees, or one that is loaded beside it to take its place. */
export type Place = 'live' | 'aside'

export const ASIDE_SCHEMA = 'tidemark_aside'

/** A synced table as one copy holds it. */
export interface ReplicaTable {
  readonly id: string
  readonly definition: TableDefinition
  /** Quoted and qualified, of this copy. */
  readonly name: string
  readonly key: readonly ColumnDefinition[]
  readonly columns: readonly ColumnDefinition[]
  readonly columnByName: ReadonlyMap<string, ColumnDefinition>
  readonly audience: AudienceRule
}

export type ReplicaTables = ReadonlyMap<string, ReplicaTable>

/** Names a table of a copy; aside by its position, because a table id may be longer than an identifier. */
function nameIn(place: Place, table: TableDefinition, position: number): string {
  return place === 'live'
    ? quoteTable(table)
    : `${quoteIdentifier(ASIDE_SCHEMA)}.${quoteIdentifier(`table_${position}`)}`
}

/**
 * Answers the tables of a copy. Aside, a column of one of the app's types is text: the live tables may still have
 * another type by that name.
 */
export function replicaTables(definition: Definition, place: Place): ReplicaTables {
  const tables = place === 'live' ? definition.tables : definition.tables.map((table) => plainly(table, definition))
  return new Map(
    tables.map((table, position) => {
      const columns = travellingColumns(table)
      const columnByName = new Map(columns.map((column) => [column.name, column]))
      const key = table.primaryKey.map((name) => {
        const column = columnByName.get(name)
        if (!column) throw new TidemarkError('corrupt', `The definition of ${table.id} lacks its key column ${name}.`)
        return column
      })
      const name = nameIn(place, table, position)
      return [table.id, { id: table.id, definition: table, name, key, columns, columnByName, audience: table.audience }]
    }),
  )
}

function plainly(table: TableDefinition, { types }: Definition): TableDefinition {
  const columns = table.columns.map((column) =>
    typesOf([column], types).length > 0 ? { ...column, type: 'text' } : column,
  )
  return { ...table, columns }
}

export function tableOf(tables: ReplicaTables, id: string): ReplicaTable {
  const table = tables.get(id)
  if (!table)
    throw new TidemarkError('rehydrate-required', `The stream names table ${id}, which this replica does not have.`)
  return table
}

/** SQL of the text by which a row's audience goes: as the log prints the column. A cast has another spelling for some types. */
export function audienceValue(table: ReplicaTable, column: string, row?: string): string {
  const { type } = table.columnByName.get(column) ?? { type: 'text' }
  return outputExpression({ name: column, type }, row)
}

/** Answers a row's key as one text, equal for equal keys. */
export function keyText(table: ReplicaTable, row: Readonly<Record<string, Value>>): string {
  const [first] = table.key
  if (table.key.length === 1 && first) return keyValue(table, row[first.name])
  return JSON.stringify(table.key.map((column) => keyValue(table, row[column.name])))
}

function keyValue(table: ReplicaTable, value: Value | undefined): string {
  if (value === null || value === undefined) {
    throw new TidemarkError('rehydrate-required', `The stream has a change of ${table.id} without its whole key.`)
  }
  return value
}

/** Answers the key columns of a row. */
export function keyRow(tables: ReplicaTables, id: string, row: Row): Record<string, Value> {
  return Object.fromEntries(tableOf(tables, id).key.map(({ name }) => [name, row[name] ?? null]))
}
