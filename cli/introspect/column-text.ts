import type { CatalogueColumn } from '../../db/definition/catalogue.ts'
import { drizzleType, type TypeSettings } from '../build/column-type.ts'
import { camelCase, type NameBook, quote, upperFirst } from '../build/name-book.ts'
import { sqlText } from '../build/write-tables.ts'

/** What of a column the catalogue of the definition does not tell. */
export interface ColumnPlace {
  /** `a` always, `d` by default, undefined for no identity. */
  readonly identity: string | undefined
  readonly isSoleKey: boolean
}

/** Writes a column of a drizzle table, such as `pg.text('name').notNull()`. */
export function columnText(column: CatalogueColumn, { identity, isSoleKey }: ColumnPlace, names: NameBook): string {
  const serial = identity === undefined ? serialOf(column) : null
  const parts = [serial === null ? typed(column, names) : `${serial}(${calledWith(column, serial)})`]
  if (isArray(column)) parts.push('array()')
  if (isSoleKey) parts.push('primaryKey()')
  else if (column.notNull) parts.push('notNull()')
  if (column.generated !== null) parts.push(`generatedAlwaysAs(${sqlText(column.generated)})`)
  else if (identity !== undefined)
    parts.push(identity === 'a' ? 'generatedAlwaysAsIdentity()' : 'generatedByDefaultAsIdentity()')
  else if (serial === null && column.default !== null) parts.push(`default(${sqlText(column.default)})`)
  return parts.join('.')
}

const isArray = ({ type }: CatalogueColumn) => type.endsWith('[]')

const SERIALS: Readonly<Record<string, string>> = {
  smallint: 'pg.smallserial',
  integer: 'pg.serial',
  bigint: 'pg.bigserial',
}

function serialOf({ type, notNull, counted, default: given }: CatalogueColumn): string | null {
  return notNull && counted && given !== null && /^nextval\('[^']*'::regclass\)$/.test(given)
    ? (SERIALS[type] ?? null)
    : null
}

const calledWith = ({ name }: CatalogueColumn, make: string) =>
  make === 'pg.bigserial' ? `${quote(name)}, { mode: 'bigint' }` : quote(name)

function typed(column: CatalogueColumn, names: NameBook): string {
  const name = quote(column.name)
  if (column.typeKind === 'e')
    return `${names.enumType(column.typeSchema, column.typeName, column.enumLabels)}(${name})`
  const type = column.type.replace(/(\[\])+$/, '')
  if (column.typeKind === 'd')
    return `${names.customType(domainName(column), type, valueTypeOf(column.domainBase))}(${name})`
  const [base, settings] = settingsOf(type)
  const known = drizzleType(base, settings)
  if (known === null || known.custom !== null) {
    const call = known?.call ?? `${camelCase(base)}Column`
    return `${names.customType(settings.length === undefined ? call : `${call}${settings.length}`, type, base === 'oid' ? 'number' : undefined)}(${name})`
  }
  return `${known.call}(${name}${known.settings === '' ? '' : `, ${known.settings}`})`
}

const domainName = ({ typeName }: CatalogueColumn) => `${camelCase(typeName)}${upperFirst('domain')}`

/** The type that a value of a domain has in TypeScript. */
function valueTypeOf(base: string | null): string {
  if (base === 'bytea') return 'Uint8Array'
  if (base !== null && /^(smallint|integer|real|double precision)$/.test(base)) return 'number'
  return base === 'boolean' ? 'boolean' : 'string'
}

const TYPE = /^([^(]*?)(?:\(([\d, -]+)\))?( with(?:out)? time zone)?$/

/** Parts what `format_type` prints into the type's name and its modifiers. */
function settingsOf(type: string): readonly [string, TypeSettings] {
  const [, start = type, modifiers, zone = ''] = TYPE.exec(type) ?? []
  const base = `${start}${zone}`
  if (modifiers === undefined) return [base, {}]
  const [first = 0, second] = modifiers.split(',').map(Number)
  if (/^(character|character varying|bit|bit varying)$/.test(base)) return [base, { length: first }]
  return [base, { precision: first, ...(second === undefined ? {} : { scale: second }) }]
}
