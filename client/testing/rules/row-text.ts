import { getTableColumns } from 'drizzle-orm'
import type { Sync } from '../../../db/define-sync.ts'
import { nameOfTable } from '../../../db/definition/declared-table.ts'
import { type Row, TidemarkError, tableId } from '../../../protocol/index.ts'

/** Rows as a test writes them: by the definition's names of tables, then of columns, with values as drizzle has them. */
export type TestRows<S extends Sync = Sync> = {
  readonly [Name in keyof S['tables']]?: readonly Partial<S['tables'][Name]['table']['$inferInsert']>[]
}

/** Returns the rows of each table, by its id, as Postgres' text. Throws `bad-input` for a name that does not exist. */
export function rowTexts<S extends Sync>(sync: S, rows: TestRows<S>): { readonly table: string; readonly row: Row }[] {
  return Object.entries(rows).flatMap(([name, ofTable]) => {
    const entry = sync.tables[name]
    if (!entry) throw new TidemarkError('bad-input', `The sync definition has no table ${name}.`)
    const columns = getTableColumns(entry.table)
    const table = tableId(nameOfTable(entry))
    return ((ofTable ?? []) as readonly Readonly<Record<string, unknown>>[]).map((values) => {
      const row: Record<string, string | null> = {}
      for (const [key, value] of Object.entries(values)) {
        const column = columns[key]
        if (!column) throw new TidemarkError('bad-input', `The table ${name} has no column ${key}.`)
        row[column.name] = valueText(value === null || value === undefined ? null : column.mapToDriverValue(value))
      }
      return { table, row }
    })
  })
}

function valueText(value: unknown): string | null {
  if (value === null || value === undefined) return null
  if (typeof value === 'boolean') return value ? 't' : 'f'
  if (value instanceof Date) return value.toISOString()
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}
