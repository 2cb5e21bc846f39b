import { getTableConfig } from 'drizzle-orm/pg-core'
import type { SyncTable } from '../define-sync.ts'

/** What the app declares of one table, as plain names. */
export interface DeclaredTable {
  readonly schema: string
  readonly name: string
  /** Database names of the columns that travel, hidden ones left out. */
  readonly columns: readonly string[]
  readonly hidden: readonly string[]
  readonly audience: { readonly constant: 'all' } | { readonly column: string; readonly prefix: string }
  readonly priority: number
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
  }
}
