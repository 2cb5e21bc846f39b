import { tableId } from '../../protocol/index.ts'
import { camelCase, NameBook, quote, upperFirst } from '../build/name-book.ts'
import { columnText } from './column-text.ts'
import type { ExistingTable } from './existing-table.ts'
import type { Plan, PlannedTable } from './plan-tables.ts'

const HEAD = (what: string) => `// ${what} Written by \`tidemark init\` from the database, and yours from here on.\n`

/** The text of the modules, and the names that they give. */
export interface Modules {
  readonly tables: string
  readonly relations: string
  /** The constant of each table, by its id. */
  readonly constants: ReadonlyMap<string, string>
  /** The key of each travelling column, by table id and column. */
  readonly keyOf: (table: string, column: string) => string
}

/** Writes the drizzle tables of a plan, with types of rows, and how they refer to each other. */
export function writeModules({ tables }: Plan): Modules {
  const names = new NameBook()
  const constants = new Map<string, string>()
  const keys = new Map<string, ReadonlyMap<string, string>>()
  for (const { existing, id, columns } of tables) {
    const { schema, name } = existing.catalogue
    const ending = schema === 'public' ? 'Table' : `Of${upperFirst(camelCase(schema))}`
    constants.set(id, names.constant(wordOf(name), ending))
    keys.set(id, keysOf(columns.travelling))
  }
  const keyOf = (table: string, column: string) => keys.get(table)?.get(column) ?? column
  const bodies = tables.map((table) => tableText(table, constants.get(table.id) ?? '', keyOf, names))
  const body = `${names.declarations()}${bodies.join('\n')}`
  const tablesText = `${HEAD('The tables of the database, as far as they may travel.')}${/\bsql`/.test(body) ? "import { sql } from 'drizzle-orm'\n" : ''}import * as pg from 'drizzle-orm/pg-core'

${body}`
  return { tables: tablesText, relations: relationsText(tables, constants, keyOf), constants, keyOf }
}

function tableText(
  { existing, id, columns, notes }: PlannedTable,
  constant: string,
  keyOf: Modules['keyOf'],
  names: NameBook,
): string {
  const { catalogue, identities } = existing
  const isSole = catalogue.primaryKey.length === 1
  const lines = catalogue.columns
    .filter(({ name }) => columns.travelling.includes(name))
    .map((column) => {
      const isSoleKey = isSole && catalogue.primaryKey[0] === column.name
      const text = columnText(
        column,
        { identity: Object.hasOwn(identities, column.name) ? identities[column.name] : undefined, isSoleKey },
        names,
      )
      return `  ${shownKey(keyOf(id, column.name))}: ${text},\n`
    })
  const key = catalogue.primaryKey.filter((name) => columns.travelling.includes(name))
  const compound =
    key.length > 1
      ? `, (row) => [pg.primaryKey({ columns: [${key.map((name) => memberOf('row', keyOf(id, name))).join(', ')}] })]`
      : ''
  const comment = notes.length === 0 ? '' : `/** ${notes.join(' ')} */\n`
  return `${comment}export const ${constant} = ${names.tableFunction(catalogue.schema)}(${quote(catalogue.name)}, {
${lines.join('')}}${compound})
export type ${upperFirst(constant)}Row = typeof ${constant}.$inferSelect
`
}

interface Relation {
  readonly one: boolean
  readonly name: string
  readonly text: string
}

function relationsText(
  tables: readonly PlannedTable[],
  constants: ReadonlyMap<string, string>,
  keyOf: Modules['keyOf'],
): string {
  const relations = new Map<string, Relation[]>(tables.map(({ id }) => [id, []]))
  for (const { existing, id, columns } of tables) {
    const references = existing.catalogue.foreignKeys.filter((key) => isHeld(key, columns.travelling, tables))
    for (const key of references) {
      const parent = tableId({ schema: key.parentSchema, name: key.parentName })
      const [child, other] = [constants.get(id) ?? '', constants.get(parent) ?? '']
      const twins = references.filter(
        (one) => one.parentSchema === key.parentSchema && one.parentName === key.parentName,
      )
      const isOneOfMany = twins.length > 1 || parent === id
      const list = (table: string, constant: string, names: readonly string[]) =>
        names.map((name) => memberOf(`db.${constant}`, keyOf(table, name))).join(', ')
      const named = isOneOfMany ? `, relationName: ${quote(key.name)}` : ''
      const last = key.columns.at(-1) ?? ''
      relations.get(id)?.push({
        one: true,
        name: camelCase(key.columns.length === 1 ? last.replace(/_?id$/i, '') || other : other),
        text: `one(db.${other}, { fields: [${list(id, child, key.columns)}], references: [${list(parent, other, key.parentColumns)}]${named} })`,
      })
      relations.get(parent)?.push({
        one: false,
        name: isOneOfMany ? `${child}By${upperFirst(camelCase(last))}` : child,
        text: `many(db.${child}${named === '' ? '' : `, {${named.slice(1)} }`})`,
      })
    }
  }
  const blocks = tables.flatMap(({ existing, id }) => {
    const own = relations.get(id) ?? []
    if (own.length === 0) return []
    const used = new Set(existing.catalogue.columns.map(({ name }) => keyOf(id, name)))
    const kinds = [own.some(({ one }) => one) ? 'one' : '', own.some(({ one }) => !one) ? 'many' : ''].filter(Boolean)
    const lines = own.map(({ name, text }) => `  ${shownKey(freeName(name, used))}: ${text},\n`)
    return [
      `export const ${constants.get(id)}Relations = relations(db.${constants.get(id)}, ({ ${kinds.join(', ')} }) => ({\n${lines.join('')}}))\n`,
    ]
  })
  const imports =
    blocks.length === 0 ? '' : "import { relations } from 'drizzle-orm'\nimport * as db from './tables.ts'\n\n"
  return `${HEAD('How the tables refer to each other, for queries of drizzle on the server.')}${imports}${blocks.length === 0 ? 'export {}\n' : blocks.join('\n')}`
}

/** A relation can be written where both its ends may travel. */
function isHeld(
  key: ExistingTable['catalogue']['foreignKeys'][number],
  travelling: readonly string[],
  tables: readonly PlannedTable[],
): boolean {
  const parent = tables.find(({ id }) => id === tableId({ schema: key.parentSchema, name: key.parentName }))
  return (
    parent !== undefined &&
    key.columns.every((name) => travelling.includes(name)) &&
    key.parentColumns.every((name) => parent.columns.travelling.includes(name))
  )
}

function freeName(wanted: string, used: Set<string>): string {
  let name = wanted
  for (let count = 1; used.has(name); count += 1) name = `${wanted}Row${count === 1 ? '' : count}`
  used.add(name)
  return name
}

/** The keys of a table's columns, in capitals as TypeScript has them; where two would be one, as in the database. */
function keysOf(columns: readonly string[]): ReadonlyMap<string, string> {
  const words = columns.map(camelCase)
  return new Map(
    columns.map((name, index) => {
      const key = words[index] ?? name
      return [name, words.filter((one) => one === key).length === 1 && key !== '' ? key : name]
    }),
  )
}

const isWord = (name: string) => /^[A-Za-z_$][\w$]*$/.test(name)
const shownKey = (key: string) => (isWord(key) ? key : quote(key))

/** Writes a member of an object, such as `row.id`. */
export const memberOf = (object: string, key: string) => (isWord(key) ? `${object}.${key}` : `${object}[${quote(key)}]`)

/** A table's name as that of a constant. */
function wordOf(name: string): string {
  const word = camelCase(name).replace(/^(?=\d)/, '_')
  return word === '' ? 'unnamed' : word
}
