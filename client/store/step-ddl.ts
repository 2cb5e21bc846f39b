import {
  type ColumnDefinition,
  type Definition,
  quoteIdentifier,
  quoteLiteral,
  quoteTable,
  type TableDefinition,
  type TableStep,
} from '../../protocol/index.ts'
import { addedLabels } from './rules/enum-labels.ts'

/** A table that is there, and what it becomes. */
export interface Altering {
  readonly before: TableDefinition
  readonly after: TableDefinition
  readonly step: TableStep
}

/** The statements by which tables become those of the next version, in the order in which they run. */
export interface StepStatements {
  /** They change names alone, so that views over the tables follow. */
  readonly renames: readonly string[]
  /** They need tables without views over what they change. */
  readonly alters: readonly string[]
}

const alter = (table: TableDefinition) => `ALTER TABLE ${quoteTable(table)}`

/** Writes the statements of these steps. Names are exchanged by way of others, so that no order of them matters. */
export function stepStatements(changes: readonly Altering[]): StepStatements {
  return {
    renames: [...renameTables(changes), ...changes.flatMap(renameColumns)],
    alters: changes.flatMap(alterColumns),
  }
}

function renameTables(changes: readonly Altering[]): string[] {
  const renamed = changes.filter(({ before, after }) => before.id !== after.id)
  const between = (index: number) => quoteIdentifier(`tidemark_renamed_${index}`)
  return [
    ...renamed.flatMap(({ before, after }, index) => [
      `${alter(before)} RENAME TO ${between(index)};`,
      ...(before.schema === after.schema
        ? []
        : [
            `CREATE SCHEMA IF NOT EXISTS ${quoteIdentifier(after.schema)};`,
            `ALTER TABLE ${quoteIdentifier(before.schema)}.${between(index)} SET SCHEMA ${quoteIdentifier(after.schema)};`,
          ]),
    ]),
    ...renamed.map(
      ({ after }, index) =>
        `ALTER TABLE ${quoteIdentifier(after.schema)}.${between(index)} RENAME TO ${quoteIdentifier(after.name)};`,
    ),
  ]
}

const droppedName = (index: number) => `tidemark_dropped_${index}`

function renameColumns({ before, after, step }: Altering): string[] {
  const rename = (from: string, to: string) =>
    `${alter(after)} RENAME COLUMN ${quoteIdentifier(from)} TO ${quoteIdentifier(to)};`
  const kept = new Set(step.columns.map(({ from }) => from))
  const renamed = step.columns.flatMap(({ name, from }) => (from === null || from === name ? [] : [{ name, from }]))
  const dropped = before.columns.map(({ name }) => name).filter((name) => !kept.has(name))
  return [
    ...dropped.map((name, index) => rename(name, droppedName(index))),
    ...renamed.map(({ from }, index) => rename(from, `tidemark_renamed_${index}`)),
    ...renamed.map(({ name }, index) => rename(`tidemark_renamed_${index}`, name)),
  ]
}

function alterColumns({ before, after, step }: Altering): string[] {
  const kept = new Set(step.columns.map(({ from }) => from))
  const dropped = before.columns.filter(({ name }) => !kept.has(name))
  return [
    ...dropIndexesOf(before, after, step),
    // An object that hangs on the column alone goes with it, as on the server.
    ...dropped.map((_, index) => `${alter(after)} DROP COLUMN ${quoteIdentifier(droppedName(index))} CASCADE;`),
    ...step.columns.flatMap(({ name, from, value }) => {
      const column = after.columns.find((candidate) => candidate.name === name)
      const old = before.columns.find((candidate) => candidate.name === from)
      if (!column) return []
      return old ? changeColumn(after, old, column) : addColumn(after, column, value)
    }),
  ]
}

/** Drops what names a type that gets another name; its new text is made with the other indexes that the table lacks. */
function dropIndexesOf(before: TableDefinition, after: TableDefinition, step: TableStep): string[] {
  const isRetyped = step.columns.some(({ name, from }) => {
    const old = before.columns.find((candidate) => candidate.name === from)
    const column = after.columns.find((candidate) => candidate.name === name)
    return old && column && old.type !== column.type && castThrough(old, column) !== ''
  })
  const gone = before.indexes.filter(({ statement }) => after.indexes.every((index) => index.statement !== statement))
  if (!isRetyped) return []
  return gone.map(({ name }) => `DROP INDEX IF EXISTS ${quoteTable({ schema: after.schema, name })};`)
}

/** Adds a column whose old rows get the value that the server gave them; the default is for new rows alone. */
function addColumn(table: TableDefinition, column: ColumnDefinition, value: string | undefined): string[] {
  const name = quoteIdentifier(column.name)
  const literal = value === undefined ? null : `${quoteLiteral(value)}::${column.type}`
  const isDefault = value !== undefined && (column.default === literal || isNumber(column.default, value))
  const filled = literal === null ? '' : ` DEFAULT ${isDefault ? `(${column.default})` : literal}`
  // Said at once, because afterwards every row would be looked at.
  const required = isRequired(table, column) ? ' NOT NULL' : ''
  const statements = [`${alter(table)} ADD COLUMN ${name} ${column.type}${filled}${required};`]
  if (isDefault) return statements
  if (column.default !== undefined)
    statements.push(`${alter(table)} ALTER COLUMN ${name} SET DEFAULT (${column.default});`)
  else if (value !== undefined) statements.push(`${alter(table)} ALTER COLUMN ${name} DROP DEFAULT;`)
  return statements
}

/** Tells whether a default is this very number, which older rows have as well. */
const isNumber = (expression: string | undefined, value: string) => expression === value && /^\d{1,9}$/.test(value)

/** Changes what a column is; its default is changed with the other parts that tables can be given in place. */
function changeColumn(table: TableDefinition, before: ColumnDefinition, after: ColumnDefinition): string[] {
  const name = quoteIdentifier(after.name)
  const change = `${alter(table)} ALTER COLUMN ${name}`
  const statements: string[] = []
  if (before.type !== after.type) {
    if (before.default !== undefined) statements.push(`${change} DROP DEFAULT;`)
    statements.push(`${change} TYPE ${after.type} USING ${name}${castThrough(before, after)}::${after.type};`)
    if (after.default !== undefined) statements.push(`${change} SET DEFAULT (${after.default});`)
  }
  const [was, is] = [isRequired(table, before), isRequired(table, after)]
  if (was !== is) statements.push(`${change} ${is ? 'SET' : 'DROP'} NOT NULL;`)
  return statements
}

/**
 * A type of the app that has another name is another type here, and there is no cast between enums; as a step is
 * there only where both print alike, their text is one.
 */
function castThrough(before: ColumnDefinition, after: ColumnDefinition): string {
  return before.type.includes('.') && after.type.includes('.') ? '::text' : ''
}

const isRequired = (table: TableDefinition, { name, notNull, serverDefault }: ColumnDefinition) =>
  (notNull && !serverDefault) || table.primaryKey.includes(name)

/** Writes the statements that add labels to enums which both definitions have. */
export function labelStatements(before: Definition['types'], after: Definition['types']): string[] {
  return after.flatMap((type) => {
    const old = before.find(({ schema, name }) => schema === type.schema && name === type.name)
    const added = old ? (addedLabels(old, type) ?? []) : []
    const first = added.filter((one) => one.after === null)
    const add = `ALTER TYPE ${quoteTable(type)} ADD VALUE`
    return added.map(({ label, after: place }) => {
      const where = place === null ? firstOf(old, first.length) : ` AFTER ${quoteLiteral(place)}`
      return `${add} ${quoteLiteral(label)}${where};`
    })
  })
}

/** Returns the types whose names the definition before has not. */
export function typesBeyond(before: Definition['types'], after: Definition['types']): Definition['types'] {
  return after.filter((type) => before.every(({ schema, name }) => schema !== type.schema || name !== type.name))
}

/** Writes the statements that make new types, which added columns may be of. */
export function newTypeStatements(before: Definition['types'], after: Definition['types']): string[] {
  return typesBeyond(before, after).flatMap(({ schema, statement }) => [
    `CREATE SCHEMA IF NOT EXISTS ${quoteIdentifier(schema)};`,
    `${statement};`,
  ])
}

/** Places a label before all others; an enum without labels needs no place. */
function firstOf(type: Definition['types'][number] | undefined, count: number): string {
  const label = /AS ENUM \(\s*(E?'(?:[^']|'')*')/.exec(type?.statement ?? '')?.[1]
  return label === undefined || count === 0 ? '' : ` BEFORE ${label}`
}

/** Answers the table after its step and before its keys, indexes and constraints follow. */
export function steppedTable({ before, after, step }: Altering): TableDefinition {
  const columns = after.columns.map((column) => {
    const from = step.columns.find(({ name }) => name === column.name)?.from ?? null
    const old = before.columns.find(({ name }) => name === from)
    if (!old || old.type !== column.type) return column
    const { default: _, ...rest } = column
    return old.default === undefined ? rest : { ...rest, default: old.default }
  })
  const { uniques, indexes, foreignKeys } = before
  return { ...after, columns, uniques, indexes, foreignKeys }
}
