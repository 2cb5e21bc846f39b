import {
  type Definition,
  quoteIdentifier,
  quoteLiteral,
  quoteTable,
  type TableDefinition,
  tableId,
  type WatchedTable,
} from '../../protocol/index.ts'
import type { Sync } from '../define-sync.ts'
import type { CatalogueColumn, CatalogueTable } from './catalogue.ts'
import { isKnownToReplicas } from './condition-text.ts'
import { type DeclaredTable, type DeclaredWatch, declaredTables, declaredWatch } from './declared-table.ts'
import { isLeasedKey } from './leased-key.ts'
import { resolveColumns } from './resolve-column.ts'
import { tableFaults, watchFaults } from './table-faults.ts'

export interface Resolution {
  readonly definition: Definition
  readonly watched: readonly WatchedTable[]
  /** One sentence each, with its remedy; the definition can only come in force when there are none. */
  readonly faults: readonly string[]
}

type Pair = { declared: DeclaredTable; table: CatalogueTable }

const sameName = (a: { schema: string; name: string }, b: { schema: string; name: string }) =>
  a.schema === b.schema && a.name === b.name

/** Completes the app's declaration from the catalogue, and lists all that keeps it from being synced. */
export function resolveDefinition(sync: Sync, catalogue: readonly CatalogueTable[]): Resolution {
  const declared = declaredTables(sync)
  return resolveDeclared(declared, (sync.watch ?? []).map(declaredWatch), catalogue)
}

/** Does the same for plain names. */
export function resolveDeclared(
  declared: readonly DeclaredTable[],
  watches: readonly DeclaredWatch[],
  catalogue: readonly CatalogueTable[],
): Resolution {
  const faults: string[] = []
  const pairs: Pair[] = []
  for (const [index, entry] of declared.entries()) {
    const table = catalogue.find((candidate) => sameName(candidate, entry))
    const found = tableFaults(entry, table)
    if (declared.findIndex((other) => sameName(other, entry)) !== index) found.push('is declared twice: keep one entry')
    faults.push(...found.map((fault) => `Table ${tableId(entry)} ${fault}.`))
    if (table && found.length === 0) pairs.push({ declared: entry, table })
  }
  if (declared.length === 0)
    faults.push('The sync definition names no table: add at least one to defineSync({ tables }).')
  for (const [index, watch] of watches.entries()) {
    const found = watchFaults(
      watch,
      catalogue.find((candidate) => sameName(candidate, watch)),
    )
    if (watches.findIndex((other) => sameName(other, watch)) !== index) found.push('is watched twice: keep one entry')
    faults.push(...found.map((fault) => `Watched table ${tableId(watch)} ${fault}.`))
  }
  const watched = watches.map((watch) => ({ id: tableId(watch), ...watch }))
  watched.sort((a, b) => (a.id < b.id ? -1 : 1))
  const types = resolveTypes(pairs)
  const tables = pairs.map((pair) => resolveTable(pair, pairs, types))
  tables.sort((a, b) => a.priority - b.priority || (a.id < b.id ? -1 : 1))
  return { definition: { types, tables }, watched, faults }
}

function resolveTable({ declared, table }: Pair, pairs: readonly Pair[], types: Definition['types']): TableDefinition {
  const travels = (names: readonly string[]) => names.every((name) => declared.columns.includes(name))
  const indexes = table.indexes.filter((index) => index.builtIn && travels(index.columns))
  return {
    id: tableId(table),
    schema: table.schema,
    name: table.name,
    columns: resolveColumns(declared, table, types),
    primaryKey: table.primaryKey,
    audience: declared.audience,
    ...keptIn(declared, table, pairs),
    ...(declared.write === null ? {} : { write: declared.write }),
    priority: declared.priority,
    uniques: [...table.uniques, ...indexes.flatMap(asUnique)]
      .filter((unique) => travels(unique.columns))
      .map(({ name, columns, atOnce, nullsNotDistinct }) => ({
        name,
        columns,
        deferrable: !isReferenced(table, columns, pairs),
        ...(atOnce ? { atOnce } : {}),
        ...(nullsNotDistinct ? { nullsNotDistinct } : {}),
      })),
    indexes: indexes
      .filter((index) => index.plainKey === null)
      .map(({ name, statement, unique, columns }) => ({
        name,
        statement: plainIndex(statement),
        ...(unique ? { unique: columns } : {}),
      })),
    foreignKeys: table.foreignKeys
      .filter((key) => travels(key.columns) && parentAlwaysVisible(declared, key, pairs))
      .map(({ name, definition }) => ({
        name,
        statement: `ALTER TABLE ${quoteTable(table)} ADD CONSTRAINT ${quoteIdentifier(name)} ${definition.replace(/ NOT VALID$/, '')} NOT VALID`,
      })),
    ...(declared.write === null ? {} : refersIn(declared, table, pairs)),
  }
}

/** Returns the foreign keys to keys that replicas lease, as far as `foreignKeys` has them not. */
function refersIn(
  declared: DeclaredTable,
  { foreignKeys }: CatalogueTable,
  pairs: readonly Pair[],
): Pick<TableDefinition, 'refers'> {
  const refers = foreignKeys.flatMap((key) => {
    const { columns, parentColumns } = key
    const parent = pairs.find((pair) => sameName(pair.table, { schema: key.parentSchema, name: key.parentName }))
    const isMeant =
      parent?.declared.write != null &&
      columns.every((name) => declared.columns.includes(name)) &&
      parentColumns.every((name) => parent.declared.columns.includes(name)) &&
      parent.table.columns.some((column) => parentColumns.includes(column.name) && isLeasedKey(column, parent.table)) &&
      !parentAlwaysVisible(declared, key, pairs)
    return isMeant ? [{ columns, parent: tableId(parent.table), parentColumns }] : []
  })
  return refers.length === 0 ? {} : { refers }
}

/** Returns how the audience that Tidemark keeps follows from a row, as far as replicas may know and can decide it. */
function keptIn(
  { kept, columns }: DeclaredTable,
  table: CatalogueTable,
  pairs: readonly Pair[],
): Pick<TableDefinition, 'kept'> {
  if (kept === null) return {}
  const names = table.columns.map(({ name }) => name)
  const when = kept.when != null && isKnownToReplicas(kept.when, names, columns) ? { when: kept.when } : {}
  const { parent } = kept
  if (parent === null) return { kept: { column: kept.column ?? '', ...when } }
  const key = pairs.find((pair) => sameName(pair.table, parent))?.table.primaryKey ?? []
  // A foreign key may list the columns in another order than they were declared.
  const by = table.foreignKeys.find(
    (one) =>
      sameName({ schema: one.parentSchema, name: one.parentName }, parent) &&
      [...one.columns].sort().join() === [...parent.columns].sort().join() &&
      [...one.parentColumns].sort().join() === [...key].sort().join(),
  )
  const { schema, name, audience } = parent
  const own = by ? by.columns : parent.columns
  return { kept: { parent: { schema, name, columns: [...own], key: by ? by.parentColumns : key, audience }, ...when } }
}

/** Makes a constraint of a unique index, because only that can be deferred, so that rows are applied in any order. */
const asUnique = ({ name, plainKey, nullsNotDistinct }: CatalogueTable['indexes'][number]) =>
  plainKey === null ? [] : [{ name, columns: plainKey, atOnce: true, nullsNotDistinct }]

/**
 * Makes an index that is not over plain columns and all rows non-unique: it could not be deferred, so only the server
 * enforces it.
 */
function plainIndex(statement: string): string {
  return statement
    .replace(/^CREATE UNIQUE INDEX/, 'CREATE INDEX')
    .replace(/ ON ONLY /, ' ON ')
    .replace(/ NULLS NOT DISTINCT/, '')
}

function isReferenced(table: CatalogueTable, columns: readonly string[], pairs: readonly Pair[]): boolean {
  return pairs.some((pair) =>
    pair.table.foreignKeys.some(
      (key) =>
        sameName({ schema: key.parentSchema, name: key.parentName }, table) &&
        [...key.parentColumns].sort().join() === [...columns].sort().join() &&
        parentAlwaysVisible(pair.declared, key, pairs),
    ),
  )
}

function parentAlwaysVisible(
  child: DeclaredTable,
  key: CatalogueTable['foreignKeys'][number],
  pairs: readonly Pair[],
): boolean {
  const parent = pairs.find((pair) => sameName(pair.table, { schema: key.parentSchema, name: key.parentName }))
  if (!parent || !key.parentColumns.every((name) => parent.declared.columns.includes(name))) return false
  const rule = parent.declared.audience
  if ('constant' in rule) return true
  const own = child.audience
  if ('constant' in own || own.prefix !== rule.prefix) return false
  return key.columns.some((name, index) => name === own.column && key.parentColumns[index] === rule.column)
}

function resolveTypes(pairs: readonly Pair[]): Definition['types'] {
  const columns = pairs.flatMap(({ declared, table }) =>
    table.columns.filter((column) => declared.columns.includes(column.name)),
  )
  const types = new Map<string, Definition['types'][number]>()
  for (const column of columns) {
    const statement = typeStatement(column)
    if (statement === null) continue
    const name = { schema: column.typeSchema, name: column.typeName }
    types.set(tableId(name), { ...name, statement })
  }
  return [...types.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, type]) => type)
}

function typeStatement(column: CatalogueColumn): string | null {
  const name = quoteTable({ schema: column.typeSchema, name: column.typeName })
  if (column.typeKind === 'e') return `CREATE TYPE ${name} AS ENUM (${column.enumLabels.map(quoteLiteral).join(', ')})`
  if (column.typeKind === 'd') return `CREATE DOMAIN ${name} AS ${column.domainBase}`
  return null
}
