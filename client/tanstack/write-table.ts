import type { Transaction } from '@electric-sql/pglite'
import { and, eq, type SQL } from 'drizzle-orm'
import { getTableConfig, type PgColumn, type PgTable } from 'drizzle-orm/pg-core'
import type { PgliteDatabase } from 'drizzle-orm/pglite'
import { TidemarkError } from '../../protocol/index.ts'

type Values = Record<string, unknown>

/** One change of a collection, as TanStack DB hands it to a handler. */
export interface CollectionChange {
  readonly type: 'insert' | 'update' | 'delete'
  readonly original: Values
  readonly modified: Values
  /** The columns that an update sets. */
  readonly changes: Values
}

/** Writes changes of a collection to its table: names come from the drizzle table, values go as parameters. */
export async function writeChanges(
  tx: Transaction,
  table: PgTable,
  changes: readonly CollectionChange[],
): Promise<void> {
  const db = await drizzleOn(tx)
  for (const { type, original, modified, changes: set } of changes) {
    if (type === 'insert') await db.insert(table).values(modified)
    else if (type === 'delete') await db.delete(table).where(keyIs(table, original))
    else if (Object.keys(set).length > 0) await db.update(table).set(set).where(keyIs(table, original))
  }
}

/** Loaded when it is needed, because with it comes PGlite, which a server that renders pages does not load. */
export async function drizzleOn(client: object): Promise<PgliteDatabase> {
  const { drizzle } = await import('drizzle-orm/pglite')
  return drizzle({ client: client as never })
}

function keyIs(table: PgTable, row: Values): SQL | undefined {
  const columns = keyColumns(table)
  return and(...columns.map(({ name, column }) => eq(column, row[name])))
}

function keyColumns(table: PgTable): { readonly name: string; readonly column: PgColumn }[] {
  const { columns, primaryKeys, name: tableName } = getTableConfig(table)
  const key = primaryKeys[0]?.columns ?? columns.filter(({ primary }) => primary)
  const named = Object.entries(table as unknown as Readonly<Record<string, PgColumn>>)
  const found = key.flatMap((column) => named.filter(([, one]) => one === column).map(([name]) => ({ name, column })))
  if (found.length > 0) return found
  throw new TidemarkError('misconfigured', `The table ${tableName} has no primary key in drizzle: declare it.`)
}
