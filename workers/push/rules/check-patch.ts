import {
  audienceOf,
  type ColumnDefinition,
  type Definition,
  isAudienceLeft,
  type PatchRow,
  type Rejection,
  type TableDefinition,
  travellingColumns,
} from '../../../protocol/index.ts'
import { isNoKey, keyUnleased } from './leased-keys.ts'
import { MutationRejected } from './mutation-rejected.ts'

/**
 * A row of a patch with its table. `move` stands for a delete and an insert of one key, which the server does as one
 * update.
 */
export interface PatchStep {
  readonly op: 'insert' | 'update' | 'delete' | 'move'
  readonly table: TableDefinition
  readonly row: PatchRow
  /** Columns that it writes; none for a delete. */
  readonly columns: readonly ColumnDefinition[]
  /** The row is locked, and what to write is decided. */
  readonly decided?: true
  /** Set where the step must not share a statement with others, which might write them in any order. */
  readonly apart?: true
}

/** One message for everything that the author may not know or not write, so that it reveals nothing of either. */
export const FORBIDDEN: Rejection = {
  kind: 'forbidden',
  message: 'This writes a table, a column or an audience that is not open to you.',
}

/**
 * Resolves a patch into steps, by the definition in force and the audiences of its author.
 *
 * Throws MutationRejected, `forbidden` or `invalid`, as soon as one row is not allowed.
 */
export function checkPatch(
  rows: readonly PatchRow[],
  definition: Definition,
  audiences: readonly string[],
): PatchStep[] {
  const tables = new Map(definition.tables.map((table) => [table.id, table]))
  const steps: PatchStep[] = []
  const seen = new Map<string, number>()
  for (const row of rows) {
    const table = tables.get(row.t)
    const isOpen = table !== undefined && (audiences.includes(row.a) || (row.a === '' && isAudienceLeft(table)))
    if (table?.write !== 'all' || !isOpen) throw new MutationRejected(FORBIDDEN)
    const step = checkRow(row, table)
    const name = rowName(row.t, row.k)
    const before = seen.get(name)
    const deleted = before === undefined ? undefined : steps[before]
    if (before === undefined) {
      seen.set(name, steps.length)
      steps.push(step)
    } else if (deleted?.op === 'delete' && step.op === 'insert') {
      // A delete would take along the rows that refer to this one.
      steps[before] = { ...step, op: 'move' }
    } else throw invalid(row, 'it names one row twice')
  }
  return steps
}

/** Names a row within a mutation. */
export function rowName(table: string, key: Readonly<Record<string, string | null>>): string {
  return JSON.stringify([table, ...Object.entries(key).sort(([a], [b]) => (a < b ? -1 : 1))])
}

function invalid({ t, k }: PatchRow, why: string): MutationRejected {
  return new MutationRejected({ kind: 'invalid', message: `The patch is not well formed: ${why}.`, table: t, key: k })
}

function checkRow(row: PatchRow, table: TableDefinition): PatchStep {
  const given = Object.keys(row.k)
  const whole = table.primaryKey.every((name) => Object.hasOwn(row.k, name) && row.k[name] !== null)
  if (given.length !== table.primaryKey.length || !whole)
    throw invalid(row, 'it does not name its row by the primary key')
  if (row.o === 'd') {
    checkAudience(row, table)
    return { op: 'delete', table, row, columns: [] }
  }
  const known = travellingColumns(table)
  if (!Object.keys(row.d).every((name) => known.some((column) => column.name === name)))
    throw new MutationRejected(FORBIDDEN)
  const held = known.filter((column) => Object.hasOwn(row.d, column.name))
  const columns = row.o === 'i' ? checkInsert(row, table, held) : held
  if (columns.some((column) => column.serverGenerated)) throw new MutationRejected(FORBIDDEN)
  if (row.o === 'i') return { op: 'insert', table, row, columns }
  checkAudience(row, table)
  const fixed = [...table.primaryKey, ...('column' in table.audience ? [table.audience.column] : [])]
  if (columns.some(({ name }) => fixed.includes(name)))
    throw invalid(row, 'a change of key or audience is a delete and an insert')
  if (columns.length === 0) throw invalid(row, 'an update changes something')
  if (Object.keys(row.b).length !== columns.length || !columns.every(({ name }) => Object.hasOwn(row.b, name)))
    throw invalid(row, 'each changed column has its basis')
  return { op: 'update', table, row, columns }
}

function checkInsert(
  row: PatchRow & { o: 'i' },
  table: TableDefinition,
  columns: readonly ColumnDefinition[],
): ColumnDefinition[] {
  if (!table.primaryKey.every((name) => row.d[name] === row.k[name])) throw invalid(row, 'an insert holds its key')
  if (isNoKey({ table, row })) throw new MutationRejected(keyUnleased(row))
  if ((audienceOf(table.audience, row.d) ?? '') !== row.a) throw new MutationRejected(FORBIDDEN)
  const left = row.z ?? []
  const isLeft = (column: ColumnDefinition) => left.includes(column.name)
  if (
    columns.filter((column) => isLeft(column) && column.serverDefault && row.d[column.name] === null).length !==
    left.length
  )
    throw invalid(row, 'only what the server fills in is left to it')
  return columns.filter((column) => !isLeft(column))
}

/**
 * Checks only the form of the audience: which of the rule's audiences it is, the row itself shows when it is written.
 */
function checkAudience(row: PatchRow, table: TableDefinition): void {
  const rule = table.audience
  if (row.a === '' && isAudienceLeft(table)) return
  if ('constant' in rule ? row.a !== rule.constant : !row.a.startsWith(`${rule.prefix}:`))
    throw new MutationRejected(FORBIDDEN)
}
