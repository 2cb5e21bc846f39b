import { getTableConfig } from 'drizzle-orm/pg-core'
import { KEPT_AUDIENCE, type TableDefinition, tableId } from '../../protocol/index.ts'
import type { Sync, SyncTable, Watch } from '../define-sync.ts'
import { audienceColumnOf, ruleOf } from './audience-chain.ts'
import type { CatalogueTable } from './catalogue.ts'
import { conditionText } from './condition-text.ts'

/** How an audience that Tidemark keeps follows from the row, as plain names. */
export interface DeclaredKept {
  /** The app's column that names it; null where it is the parent's. */
  readonly column: string | null
  readonly parent: {
    readonly schema: string
    readonly name: string
    readonly columns: readonly string[]
    /** The parent's audience column. */
    readonly audience: string
  } | null
  /** Null: none. Undefined: the one that was installed last, which no definition in force tells. */
  readonly when: string | null | undefined
}

/** The app's declaration of one table, as plain names. */
export interface DeclaredTable {
  readonly schema: string
  readonly name: string
  /** Database names of the columns that travel, hidden ones left out. */
  readonly columns: readonly string[]
  readonly hidden: readonly string[]
  readonly audience: { readonly constant: 'all' } | { readonly column: string; readonly prefix: string }
  /** Set where the audience's column is Tidemark's own. */
  readonly kept: DeclaredKept | null
  readonly priority: number
  /** Null: the table cannot be written through a replica. */
  readonly write: 'all' | 'actions' | null
}

const DEFAULT_PRIORITY = 100

/** The name of a synced table in the database. */
export function nameOfTable({ table }: Pick<SyncTable, 'table'>): { schema: string; name: string } {
  const { schema, name } = getTableConfig(table)
  return { schema: schema ?? 'public', name }
}

/** Reads the names out of the declared drizzle tables. */
export function declaredTables(sync: Pick<Sync, 'tables'>): DeclaredTable[] {
  return Object.values(sync.tables).map((entry) => declaredTable(entry, sync))
}

export function declaredTable(entry: SyncTable, { tables }: Pick<Sync, 'tables'>): DeclaredTable {
  const config = getTableConfig(entry.table)
  const hidden = entry.hidden ?? []
  const kept = keptOf(entry, tables)
  const columns = config.columns.map((column) => column.name).filter((name) => !hidden.includes(name))
  return {
    ...nameOfTable(entry),
    columns: kept === null ? columns : [...columns, KEPT_AUDIENCE],
    hidden,
    audience: ruleOf(tables, entry),
    kept,
    priority: entry.priority ?? DEFAULT_PRIORITY,
    write: entry.write === undefined || entry.write === 'none' ? null : entry.write,
  }
}

function keptOf({ audience, when }: SyncTable, tables: Sync['tables']): DeclaredKept | null {
  if (audience === 'all') return null
  const condition = when === undefined ? null : conditionText(when)
  if ('column' in audience)
    return condition === null ? null : { column: audience.column.name, parent: null, when: condition }
  const columns = (Array.isArray(audience.via) ? audience.via : [audience.via]).map(({ name }) => name)
  const parent = { ...nameOfTable({ table: audience.of }), columns, audience: audienceColumnOf(tables, audience.of) }
  return { column: null, parent, when: condition }
}

/** Returns the kept audience of a table in force as it was declared. */
export function keptAgain({ kept }: Pick<TableDefinition, 'kept'>): DeclaredKept | null {
  if (kept === undefined) return null
  const { column = null, parent = null, when } = kept
  const above = parent && {
    schema: parent.schema,
    name: parent.name,
    columns: parent.columns,
    audience: parent.audience,
  }
  return { column, parent: above, when }
}

/** A watched table, as plain names. */
export interface DeclaredWatch {
  readonly schema: string
  readonly name: string
  readonly user: string | null
}

export function declaredWatch({ table, user }: Watch): DeclaredWatch {
  const { schema, name } = getTableConfig(table)
  return { schema: schema ?? 'public', name, user: user?.name ?? null }
}

/** Returns the ids of the tables of whose former values history is to keep nothing, in order. */
export function declaredKeysOnly({ tables }: Pick<Sync, 'tables'>): string[] {
  const entries = Object.values(tables).filter(({ history }) => history === 'keys')
  return entries.map((entry) => tableId(nameOfTable(entry))).sort()
}

/** Every table that the app declares, synced or watched, once each. */
export function declaredNames(sync: Sync): { schema: string; name: string }[] {
  const all = [...Object.values(sync.tables).map(nameOfTable), ...(sync.watch ?? []).map(declaredWatch)]
  const byName = new Map(all.map(({ schema, name }) => [JSON.stringify([schema, name]), { schema, name }]))
  return [...byName.values()]
}

/** Returns the declaration of a table in force, as far as the catalogue still has its columns. */
export function declaredAgain(table: TableDefinition, catalogue: readonly CatalogueTable[]): DeclaredTable {
  const { schema, name, audience, priority, write = null } = table
  const found = catalogue.find((candidate) => candidate.schema === schema && candidate.name === name)
  const columns = table.columns
    .map((column) => column.name)
    .filter((column) => found?.columns.some((candidate) => candidate.name === column))
  return { schema, name, columns, hidden: [], audience, kept: keptAgain(table), priority, write }
}
