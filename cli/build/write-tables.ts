import type { DataSource } from 'typeorm'
import { drizzleType } from './column-type.ts'
import { NameBook, quote } from './name-book.ts'
import { type ColumnMetadata, columnsOf, type SyncedEntity, travellingColumns } from './synced-entity.ts'

const HEAD = `// Made by \`tidemark build\` from entities.ts. Change the entities and run it again; what is written here is lost.`

/**
 * Writes the module that `sync.ts` imports: drizzle tables, types of rows, and `tables` of the sync definition.
 *
 * Equal entities give equal text, whatever the order in which they were loaded.
 */
export function writeTables(synced: readonly SyncedEntity[], driver: DataSource['driver']): string {
  const names = new NameBook()
  const tables = synced.map((entity) => new TableText(entity, driver, names))
  for (const { metadata } of synced) for (const type of rowTypes(metadata.name)) names.takeType(type)
  const bodies = tables.map((table) => table.text())
  const entries = tables.map((table) => `  ${table.name}: ${table.entry(tables)},\n`)
  const body = `${names.declarations()}${bodies.join('\n')}
/** The tables of the sync definition: defineSync({ tables }). */
export const tables = {
${entries.join('')}}
`
  const usesSql = /\bsql`/.test(body)
  return `${HEAD}
${usesSql ? "import { sql } from 'drizzle-orm'\n" : ''}import * as pg from 'drizzle-orm/pg-core'
import { table } from 'tidemark/db'

${body}`
}

/** The parts of a generated module that concern one table. */
class TableText {
  readonly name: string
  readonly #entity: SyncedEntity
  readonly #driver: DataSource['driver']
  readonly #names: NameBook

  constructor(entity: SyncedEntity, driver: DataSource['driver'], names: NameBook) {
    this.#entity = entity
    this.#driver = driver
    this.#names = names
    this.name = names.constant(entity.metadata.name)
  }

  text(): string {
    const { metadata } = this.#entity
    const columns = travellingColumns(this.#entity)
    const keys = columns.filter(({ isPrimary }) => isPrimary)
    const lines = columns.map((column) => `  ${keyOf(column)}: ${this.#column(column, keys.length === 1)},\n`)
    const key = keys.map((column) => `row.${keyOf(column)}`).join(', ')
    const compound = keys.length > 1 ? `, (row) => [pg.primaryKey({ columns: [${key}] })]` : ''
    const make = this.#names.tableFunction(metadata.schema)
    const [row, newRow] = rowTypes(metadata.name)
    return `export const ${this.name} = ${make}(${quote(metadata.tableName)}, {
${lines.join('')}}${compound})
export type ${row} = typeof ${this.name}.$inferSelect
export type ${newRow} = typeof ${this.name}.$inferInsert
`
  }

  get metadata(): SyncedEntity['metadata'] {
    return this.#entity.metadata
  }

  /** The table's part of the definition; a parent is named as among `all`. */
  entry(all: readonly TableText[]): string {
    const { declaration } = this.#entity
    const options = [
      `audience: ${this.#audience(all)}`,
      ...(declaration.when === undefined ? [] : [`when: ${sqlText(declaration.when)}`]),
      ...(declaration.write ? [`write: ${quote(declaration.write)}`] : []),
      ...(declaration.conflict ? [`conflict: ${quote(declaration.conflict)}`] : []),
      ...(declaration.priority === undefined ? [] : [`priority: ${declaration.priority}`]),
      ...(declaration.history === undefined ? [] : [`history: '${declaration.history}'`]),
    ]
    return `table(${this.name}, { ${options.join(', ')} })`
  }

  #audience(all: readonly TableText[]): string {
    const { metadata, declaration } = this.#entity
    const { audience } = declaration
    if (audience === 'all') return "'all'"
    const columns = columnsOf(metadata, 'via' in audience ? audience.via : audience.column)
    const [first, ...more] = columns.map((column) => `${this.name}.${keyOf(column)}`)
    if (first === undefined) return "'all'"
    if (!('via' in audience)) return `{ column: ${first}, prefix: ${quote(audience.prefix)} }`
    const relation = metadata.relations.find(({ propertyPath }) => propertyPath === audience.via)
    const parent = all.find((table) => table.metadata === relation?.inverseEntityMetadata)
    const via = more.length === 0 ? first : `[${[first, ...more].join(', ')}]`
    return `{ via: ${via}, of: ${parent?.name ?? ''} }`
  }

  #column(column: ColumnMetadata, soleKey: boolean): string {
    const normalised = this.#driver.normalizeType(column)
    const parts = [this.#typed(column, normalised)]
    if (column.isArray) parts.push('array()')
    if (column.isPrimary && soleKey) parts.push('primaryKey()')
    else if (!column.isNullable) parts.push('notNull()')
    const filled = this.#filled(column)
    if (filled !== null) parts.push(filled)
    return parts.join('.')
  }

  #typed(column: ColumnMetadata, normalised: string): string {
    const name = quote(column.databaseName)
    if (normalised === 'enum') {
      const { schema, tableName } = this.#entity.metadata
      const type = column.enumName ?? `${tableName}_${column.databaseName.toLowerCase()}_enum`
      return `${this.#names.enumType(schema, type, (column.enum ?? []).map(String))}(${name})`
    }
    const type = drizzleType(normalised, column)
    if (type === null) throw new Error(`${normalised} was not refused`)
    const call = type.custom === null ? type.call : this.#names.customType(type.call, type.custom)
    return `${call}(${name}${type.settings === '' ? '' : `, ${type.settings}`})`
  }

  /** The default that fills the column in where a writer leaves it out. */
  #filled(column: ColumnMetadata): string | null {
    if (column.asExpression !== undefined) return `generatedAlwaysAs(${sqlText(column.asExpression)})`
    if (column.isGenerated && column.generationStrategy === 'uuid') return `default(${sqlText('gen_random_uuid()')})`
    if (column.isGenerated) return 'generatedByDefaultAsIdentity()'
    const text = this.#driver.normalizeDefault(column)
    return text === undefined || text === null ? null : `default(${sqlText(String(text))})`
  }
}

/** The types of a row as it is read and as it is written. */
const rowTypes = (entity: string) => [`${entity}Row`, `New${entity}Row`] as const

/** The name of a column in the row's type: its property's, that of an embedded one joined by capitals. */
function keyOf(column: ColumnMetadata): string {
  const path = column.isVirtual ? column.databaseName.replaceAll('_', '.') : column.propertyPath
  const key = path.replaceAll(/\.+(\w)/g, (_, letter: string) => letter.toUpperCase())
  return /^[A-Za-z_$][\w$]*$/.test(key) ? key : quote(key)
}

/** Writes an SQL expression as TypeScript. */
export const sqlText = (text: string) => `sql\`${text.replaceAll(/[\\`]|\$(?=\{)/g, '\\$&')}\``
