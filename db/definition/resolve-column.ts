import { type ColumnDefinition, type Definition, KEPT_AUDIENCE } from '../../protocol/index.ts'
import type { CatalogueColumn, CatalogueTable } from './catalogue.ts'
import type { DeclaredTable } from './declared-table.ts'
import { mayFill } from './filling-trigger.ts'
import { isLeasedKey, leasedBy } from './leased-key.ts'
import { replicaDefault } from './replica-default.ts'
import { isGeneratedAlike } from './table-faults.ts'

/**
 * Returns the columns that travel, each with how a replica treats it: required, filled in or generated here, or left to
 * the server.
 */
export function resolveColumns(
  declared: DeclaredTable,
  table: CatalogueTable,
  types: Definition['types'],
): ColumnDefinition[] {
  const visible = table.columns.filter(({ name }) => declared.columns.includes(name))
  const resolved = visible.map((column) => ({ column, made: resolveColumn(column, table, declared, types) }))
  const open = resolved.filter(({ column, made }) => column.notNull && (made.serverDefault || !made.notNull))
  const names = new Set(open.map(({ made }) => made.name))
  return resolved.map(({ column, made }) =>
    // A column computed from one that is not yet filled in is NULL as well.
    made.generated !== null && column.generatedFrom.some((name) => names.has(name))
      ? { ...made, notNull: false }
      : made,
  )
}

/** Resolves one column. What fills it in only matters where replicas write. */
function resolveColumn(
  column: CatalogueColumn,
  table: CatalogueTable,
  declared: DeclaredTable,
  types: Definition['types'],
): ColumnDefinition {
  const { name, type, notNull, generated } = column
  const plain = { name, type, notNull, generated }
  if (declared.kept !== null && name === KEPT_AUDIENCE) return keptByServer({ name, type, notNull: false }, declared)
  if (generated !== null) return isGeneratedAlike(declared, table, column) ? plain : keptByServer(plain, declared)
  if (declared.write === null) return plain
  if (isLeasedKey(column, table)) return { ...plain, ...leasedBy(column.sequence, table, name) }
  if (column.counted) return { ...plain, serverDefault: true }
  // The server refuses NULL here or a trigger fills it in, and only the server knows which.
  const isOpen = notNull && !table.primaryKey.includes(name) && table.triggersBefore.some((one) => mayFill(one, name))
  if (column.default === null) return isOpen ? { ...plain, serverDefault: true } : plain
  const computed = replicaDefault(column, types)
  if (computed === null) return { ...plain, serverDefault: true }
  return { ...plain, notNull: notNull && !isOpen, default: computed }
}

/** Describes a column that no mutation writes, and that is NULL where a replica has written the row, until the server's value comes. */
function keptByServer(
  { name, type, notNull }: { name: string; type: string; notNull: boolean },
  declared: DeclaredTable,
) {
  const plain = { name, type, notNull, generated: null, serverGenerated: true as const }
  return declared.write === null ? plain : { ...plain, serverDefault: true as const }
}
