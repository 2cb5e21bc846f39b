import {
  type KeptAudience,
  type TableDefinition,
  TidemarkError,
  tableId,
  type WatchedTable,
} from '../../protocol/index.ts'
import type { CatalogueTable } from './catalogue.ts'
import type { DeclaredKept, DeclaredTable, DeclaredWatch } from './declared-table.ts'
import { watchFaults } from './table-faults.ts'

/** A table of the definition before as it is called by now. */
export interface PresentTable {
  readonly schema: string
  readonly name: string
  /** The name of each column that is there still, by the one it had. */
  readonly columns: ReadonlyMap<string, string>
}

interface Name {
  readonly schema: string
  readonly name: string
}

function find<Named extends Name>(among: readonly Named[], { schema, name }: Name): Named | undefined {
  return among.find((one) => one.schema === schema && one.name === name)
}

/**
 * Declares a table as it was declared before, with the columns that the app declares beyond that and that are there by
 * now; without those that the app hides. Throws `misconfigured` where the column of its audience is gone.
 */
export function keptSoFar(
  { id, columns, audience, kept, priority, write }: TableDefinition,
  now: PresentTable,
  app: readonly DeclaredTable[],
  catalogue: readonly CatalogueTable[],
  present: ReadonlyMap<string, PresentTable>,
): DeclaredTable {
  const { schema, name } = now
  const declared = find(app, now)
  const known = new Set(find(catalogue, now)?.columns.map((column) => column.name))
  const wanted = [...columns.flatMap((column) => now.columns.get(column.name) ?? []), ...(declared?.columns ?? [])]
  const hidden = (declared?.hidden ?? []).filter((column) => known.has(column))
  const seen = [...new Set(wanted)].filter((column) => known.has(column) && !hidden.includes(column))
  return {
    schema,
    name,
    columns: seen,
    hidden,
    audience: audienceSoFar(id, audience, now),
    kept: kept === undefined ? null : keptRuleSoFar(id, kept, now, declared, present),
    priority,
    write: write ?? null,
  }
}

/** A condition's columns cannot be found again in its text, so that the app's own words stand where it has some. */
function keptRuleSoFar(
  id: string,
  { column, parent, when }: KeptAudience,
  { columns }: PresentTable,
  declared: DeclaredTable | undefined,
  present: ReadonlyMap<string, PresentTable>,
): DeclaredKept {
  const from = parent && present.get(tableId(parent))
  const named = (parent?.columns ?? []).map((name) => columns.get(name))
  const own = column === undefined ? null : columns.get(column)
  const audience = parent && from?.columns.get(parent.audience)
  if (own === undefined || named.includes(undefined) || (parent && !audience))
    throw new TidemarkError('misconfigured', `Table ${id} no longer has that from which its audience follows.`)
  return {
    column: own,
    parent:
      from && audience
        ? { schema: from.schema, name: from.name, columns: named.filter((name) => name !== undefined), audience }
        : null,
    when: declared?.kept ? declared.kept.when : when,
  }
}

function audienceSoFar(
  id: string,
  rule: TableDefinition['audience'],
  { columns }: PresentTable,
): DeclaredTable['audience'] {
  if ('constant' in rule) return rule
  const column = columns.get(rule.column)
  if (column === undefined)
    throw new TidemarkError('misconfigured', `Table ${id} no longer has column ${rule.column}, which is its audience.`)
  return { column, prefix: rule.prefix }
}

/** Declares the app's further tables, as far as they and their columns are there by now. */
export function joinedSoFar(
  app: readonly DeclaredTable[],
  kept: readonly DeclaredTable[],
  catalogue: readonly CatalogueTable[],
): DeclaredTable[] {
  return app.flatMap((table) => {
    const found = find(catalogue, table)
    // What Tidemark keeps in a table is made with the last migration.
    if (!found || find(kept, table) || table.kept !== null) return []
    const known = (name: string) => found.columns.some((column) => column.name === name)
    return [{ ...table, columns: table.columns.filter(known), hidden: table.hidden.filter(known) }]
  })
}

export function keptWatch({ user }: WatchedTable, { schema, name, columns }: PresentTable): DeclaredWatch {
  return { schema, name, user: user === null ? null : (columns.get(user) ?? user) }
}

/** Returns the app's further watched tables that can be watched by now. */
export function watchedSoFar(
  app: readonly DeclaredWatch[],
  kept: readonly DeclaredWatch[],
  catalogue: readonly CatalogueTable[],
): DeclaredWatch[] {
  return app.filter((watch) => !find(kept, watch) && watchFaults(watch, find(catalogue, watch)).length === 0)
}
