import { type DefinitionInForce, type TableDefinition, tableId } from '../../protocol/index.ts'
import { carryTrigger, KEPT_KEY, KEPT_TRIGGER } from './kept-audience-sql.ts'
import type { FoundShape, LeafShape, TableShape } from './table-shape.ts'

/** A reason why a table's replicas would show it wrongly. */
export interface Drift {
  readonly table: string
  /**
   * `rows`: the rows are others, though the shape is as defined: loading the table anew is enough. `shape`: the
   * definition itself is another. `keeping`: nothing keeps the audience of the rows, so that none is to be told.
   */
  readonly kind: 'rows' | 'shape' | 'keeping'
  /** The event, worded to follow `Table x`. */
  readonly what: string
}

/**
 * Lists every way in which the tables no longer are what the definition's replicas were made from; empty where nothing
 * matters.
 */
export function compareShapes(
  { definition, watched = [] }: Pick<DefinitionInForce, 'definition' | 'watched'>,
  shapes: ReadonlyMap<string, FoundShape>,
): Drift[] {
  const synced = definition.tables.flatMap((table): Drift[] => {
    const { before = null, now = null } = shapes.get(table.id) ?? {}
    const shape = shapeDrift(table, before, now)
    if (shape !== null || now === null) return [{ table: table.id, kind: 'shape', what: shape ?? GONE }]
    const unkept = keepingDrift(table, definition.tables, shapes)
    if (unkept !== null) return [{ table: table.id, kind: 'keeping', what: unkept }]
    const rows = before && rowsDrift(table, before, now)
    return rows ? [{ table: table.id, kind: 'rows', what: rows }] : []
  })
  const others = watched.flatMap(({ id }): Drift[] => {
    const { before = null, now = null } = shapes.get(id) ?? {}
    const what = definition.tables.some((table) => table.id === id) ? null : now && relationDrift(id, before, now)
    return what === null ? [] : [{ table: id, kind: 'shape', what }]
  })
  return [...synced, ...others]
}

/**
 * A column that looks as it did, and whose row in the catalogue is another: because of a grant, or it was altered and
 * taken back.
 */
export interface ColumnInDoubt {
  readonly table: Pick<TableDefinition, 'id' | 'schema' | 'name'>
  readonly column: string
  readonly type: string
  /** `xmin` of the column's row in the catalogue. */
  readonly made: string
  /** `xmin` of the row that was compared. */
  readonly compared: string
}

export function columnsInDoubt(
  { definition }: Pick<DefinitionInForce, 'definition'>,
  shapes: ReadonlyMap<string, FoundShape>,
): ColumnInDoubt[] {
  return definition.tables.flatMap((table) => {
    const { before = null, now = null } = shapes.get(table.id) ?? {}
    return (now?.columns ?? []).flatMap(({ name, type, made }) => {
      const was = before?.columns.find((column) => column.name === name)
      const isDefined = table.columns.some((column) => column.name === name)
      return isDefined && was?.type === type && was.made !== made
        ? [{ table, column: name, type, made, compared: was.made }]
        : []
    })
  })
}

/** Returns leaves that need REPLICA IDENTITY FULL and were not this table's when it was last compared. */
export function leavesToIdentify({ before, now }: FoundShape): readonly LeafShape[] {
  const known = new Set(before?.leaves.map(({ relation }) => relation))
  return (now?.leaves ?? []).filter((leaf) => leaf.identity !== 'f' && !known.has(leaf.relation))
}

const GONE = 'is gone or renamed'
const LOGGED = 'p'

function shapeDrift(table: TableDefinition, before: TableShape | null, now: TableShape | null): string | null {
  if (now === null) return GONE
  const other = relationDrift(table.id, before, now)
  if (other !== null) return other
  if (now.persistence !== LOGGED) return 'is unlogged, so that its rows never reach the log: ALTER TABLE … SET LOGGED'
  for (const leaf of now.leaves) {
    if (leaf.kind !== 'r' || leaf.persistence !== LOGGED)
      return `has partition ${leaf.name}, which is foreign or unlogged, so that its rows never reach the log`
  }
  const changed = columnDrift(table, before, now)
  if (changed !== null) return changed
  if (JSON.stringify(now.key) !== JSON.stringify(table.primaryKey))
    return `has another primary key than the definition in force (${now.key.join(', ') || 'none'})`
  return identityDrift(before, now)
}

/** Names what capture cannot follow in a table, whether it is synced or rights alone depend on it. */
function relationDrift(id: string, before: TableShape | null, now: TableShape): string | null {
  if (before !== null && before.relation !== now.relation) return 'is another table than the one that was captured'
  const [child] = now.children
  if (child === undefined) return null
  return `has a table that inherits from it (${child}), whose rows the log does not tell as its own: ALTER TABLE ${child} NO INHERIT ${id}`
}

function columnDrift(table: TableDefinition, before: TableShape | null, now: TableShape): string | null {
  for (const column of table.columns) {
    const is = now.columns.find(({ name }) => name === column.name)
    const was = before?.columns.find(({ name }) => name === column.name)
    if (is === undefined) return `no longer has column ${column.name}`
    if (is.type !== column.type) return `has column ${column.name} as ${is.type}, which was ${column.type}`
    if (column.notNull && !is.notNull) return `may hold NULL in column ${column.name}`
    if (was === undefined) continue
    if (was.generated !== is.generated)
      return `computes column ${column.name} otherwise: ${is.generated ?? 'not at all'}`
    if (was.base !== is.base) return `has column ${column.name} of a domain over ${is.base}, which was over ${was.base}`
    if (JSON.stringify(was.labels) !== JSON.stringify(is.labels))
      return `has other labels in column ${column.name} (${is.type}: ${is.labels.join(', ')})`
  }
  return null
}

function identityDrift(before: TableShape | null, now: TableShape): string | null {
  const alter = (name: string) => `lost REPLICA IDENTITY FULL: ALTER TABLE ${name} REPLICA IDENTITY FULL`
  if (now.kind === 'r') return now.identity === 'f' ? null : alter('…')
  const known = new Set(before?.leaves.map(({ relation }) => relation))
  const lost = now.leaves.find(({ relation, identity }) => identity !== 'f' && known.has(relation))
  return lost ? `has partition ${lost.name}, which ${alter(lost.name)}` : null
}

/** Names what no longer keeps the audience of a table's rows, so that they may be seen by others than they should. */
function keepingDrift(
  { id, kept }: TableDefinition,
  tables: readonly TableDefinition[],
  shapes: ReadonlyMap<string, FoundShape>,
): string | null {
  const now = shapes.get(id)?.now
  const own = kept && now?.keeping ? missing(now, [`${KEPT_TRIGGER} A`, ...(kept.parent ? [KEPT_KEY] : [])]) : null
  if (own) return `no longer keeps the audience of its rows, as ${own} is disabled or gone`
  for (const child of tables) {
    const { parent } = child.kept ?? {}
    const relation = parent && tableId(parent) === id ? shapes.get(child.id)?.now?.relation : undefined
    if (!relation || !now?.keeping) continue
    const carry = missing(now, [`${carryTrigger({ oid: relation })} A`])
    if (carry) return `no longer gives its audience to ${child.id}, as ${carry} is disabled or gone`
  }
  return null
}

const missing = ({ keeping }: TableShape, wanted: readonly string[]): string | null =>
  wanted.find((one) => !keeping?.includes(one))?.replace(/^(~.*) A$/, 'trigger $1') ?? null

function rowsDrift(table: TableDefinition, before: TableShape, now: TableShape): string | null {
  const known = table.columns.flatMap(({ name }) => {
    const [was, is] = [before, now].map(({ columns }) => columns.find((column) => column.name === name))
    return was ? [{ name, was, is }] : []
  })
  const replaced = known.find(({ was, is }) => was.number !== is?.number)
  if (replaced) return `has another column under the name ${replaced.name}`
  const relabelled = known.find(({ was, is }) => was.labelsMade !== null && was.labelsMade !== is?.labelsMade)
  if (relabelled) return `had other labels in column ${relabelled.name} for a while`
  const remade = known.find(({ was, is }) => was.made !== is?.made)
  // One of these alone is maintenance (VACUUM FULL, CLUSTER) or a grant.
  if (before.file !== now.file && remade) return `was rewritten for column ${remade.name}`
  for (const leaf of before.leaves) {
    const is = now.leaves.find(({ relation }) => relation === leaf.relation)
    if (is === undefined) return `no longer has partition ${leaf.name}`
    // The catalogue rows of its columns cannot distinguish TRUNCATE from VACUUM FULL.
    if (is.file !== leaf.file) return `has partition ${leaf.name}, which was truncated or rewritten`
  }
  for (const leaf of now.leaves) {
    if (before.leaves.some(({ relation }) => relation === leaf.relation)) continue
    const why = rowsOfNewLeaf(table, leaf)
    if (why !== null) return `has a new partition ${leaf.name}, ${why}`
  }
  return null
}

/** Returns why the log may lack rows of a new leaf; null where it cannot. */
export function rowsOfNewLeaf(table: TableDefinition, leaf: LeafShape): string | null {
  if (leaf.empty && (!leaf.born || leaf.relation === leaf.file)) return null
  if (!leaf.born) return 'which brought rows along'
  if (leaf.relation !== leaf.file) return 'which was truncated or rewritten'
  // An incomplete old row is recognised by NULL where there can be none.
  const shows = table.columns.some(
    ({ name, notNull, generated }) => notNull && generated === null && !table.primaryKey.includes(name),
  )
  return leaf.whole || shows ? null : 'of which rows may have changed before it had REPLICA IDENTITY FULL'
}
