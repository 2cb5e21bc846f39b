import { getTableConfig } from 'drizzle-orm/pg-core'
import type { TableDefinition } from '../../protocol/index.ts'
import type { Sync, SyncTable, Watch } from '../define-sync.ts'
import type { CatalogueTable } from './catalogue.ts'

/** The app's declaration of one table, as plain names. */
export interface DeclaredTable {
  readonly schema: string
  readonly name: string
  /** Database names of the columns that travel, hidden ones left out. */
  readonly columns: readonly string[]
  readonly hidden: readonly string[]
  readonly audience: { readonly constant: 'all' } | { readonly column: string; readonly prefix: string }
  readonly priority: number
  /** Null: the table cannot be written through a replica. */
  readonly write: 'all' | 'actions' | null
}

const DEFAULT_PRIORITY = 100

/** Reads the names out of a declared drizzle table. */
export function declaredTable(entry: SyncTable): DeclaredTable {
  const config = getTableConfig(entry.table)
  const hidden = entry.hidden ?? []
  return {
    schema: config.schema ?? 'public',
    name: config.name,
    columns: config.columns.map((column) => column.name).filter((name) => !hidden.includes(name)),
    hidden,
    audience:
      entry.audience === 'all'
        ? { constant: 'all' }
        : { column: entry.audience.column.name, prefix: entry.audience.prefix },
    priority: entry.priority ?? DEFAULT_PRIORITY,
    write: entry.write === undefined || entry.write === 'none' ? null : entry.write,
  }
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

/** Every table that the app declares, synced or watched, once each. */
export function declaredNames(sync: Sync): { schema: string; name: string }[] {
  const all = [...Object.values(sync.tables).map(declaredTable), ...(sync.watch ?? []).map(declaredWatch)]
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
  return { schema, name, columns, hidden: [], audience, priority, write }
}
