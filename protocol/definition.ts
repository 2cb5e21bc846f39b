import * as z from 'zod/mini'
import type { Bundles } from './bundle-standing.ts'
import type { TableStep } from './table-step.ts'

/**
 * The definition in force: a sync definition as the database stores it, completed from the catalogue.
 *
 * It holds everything that a reader of the stream needs: the tables and columns that travel, their types and keys, and
 * their audiences. Hidden columns are not named in it. Version and hash name it in history, snapshots and frames.
 */
const columnSchema = z.object({
  name: z.string(),
  /** As `format_type` prints it under an empty search path, e.g. `numeric(10,2)`, `public.state`, `text[]`. */
  type: z.string(),
  notNull: z.boolean(),
  /** Expression of a stored generated column that a replica computes itself, so that it does not travel; else null. */
  generated: z.nullable(z.string()),
  /**
   * A stored generated column that a replica might compute otherwise, or the audience that Tidemark keeps: its value
   * travels, and no mutation may write it.
   */
  serverGenerated: z.optional(z.literal(true)),
  /** Expression of a default that a replica computes as the server does. */
  default: z.optional(z.string()),
  /**
   * The server fills it in by a sequence, a function of the app or the like, which a replica cannot compute: NULL until
   * it returns.
   */
  serverDefault: z.optional(z.literal(true)),
  /**
   * A column of the key that is numbered by this sequence, quoted where it must be: replicas number new rows by keys of
   * it that they leased.
   */
  leased: z.optional(z.string()),
})

const audienceRuleSchema = z.union([
  z.object({ constant: z.literal('all') }),
  z.object({ column: z.string(), prefix: z.string() }),
])

/** The column of an app's table in which Tidemark keeps the audience of a row that its own columns do not name. */
export const KEPT_AUDIENCE = 'tidemark_audience'

/** How the audience that Tidemark keeps follows from a row. */
const keptAudienceSchema = z.object({
  /** The app's column that names it; absent where it is the parent's. */
  column: z.optional(z.string()),
  parent: z.optional(
    z.object({
      schema: z.string(),
      name: z.string(),
      /** The columns by which a row refers to its parent, in the order of the parent's key. */
      columns: z.array(z.string()).check(z.minLength(1)),
      key: z.array(z.string()).check(z.minLength(1)),
      /** The parent's audience column. */
      audience: z.string(),
    }),
  ),
  /** The condition without which a row has none; absent where there is none, or a replica cannot tell. */
  when: z.optional(z.string()),
})

export const tableDefinitionSchema = z.object({
  /** `tableId({ schema, name })`: the table's name on the wire and in history. */
  id: z.string(),
  schema: z.string(),
  name: z.string(),
  columns: z.array(columnSchema),
  primaryKey: z.array(z.string()).check(z.minLength(1)),
  audience: audienceRuleSchema,
  /** Set where the audience's column is Tidemark's own: its value travels, and no mutation may write it. */
  kept: z.optional(keptAudienceSchema),
  /** The way to write it through a replica: any local SQL, actions alone, or, where this is absent, none. */
  write: z.optional(z.enum(['all', 'actions'])),
  /** Lower loads first. */
  priority: z.int(),
  /** Unique constraints besides the key, and unique indexes over columns of all rows. */
  uniques: z.array(
    z.object({
      name: z.string(),
      columns: z.array(z.string()),
      /** True where a replica may defer it: not where a foreign key refers to it. */
      deferrable: z.boolean(),
      /** The server checks it row by row, so that ON CONFLICT may go by it. */
      atOnce: z.optional(z.literal(true)),
      nullsNotDistinct: z.optional(z.literal(true)),
    }),
  ),
  /**
   * Complete `CREATE INDEX` statements, never unique, of the other secondary indexes over visible columns only.
   * `unique` is set where the server's index is unique, over an expression or some rows; it names the columns that it
   * depends on.
   */
  indexes: z.array(z.object({ name: z.string(), statement: z.string(), unique: z.optional(z.array(z.string())) })),
  /** Complete `ALTER TABLE … NOT VALID` statements, only of keys whose parent is always visible when the child is. */
  foreignKeys: z.array(z.object({ name: z.string(), statement: z.string() })),
  /** The other foreign keys that lead to keys which replicas lease: they are not checked here, and followed where such a key changes. */
  refers: z.optional(
    z.array(z.object({ columns: z.array(z.string()), parent: z.string(), parentColumns: z.array(z.string()) })),
  ),
  /** The version from which on the rows that a replica holds are right; absent: not known, so the definition's own. */
  since: z.optional(z.int()),
})

const typeDefinitionSchema = z.object({
  schema: z.string(),
  name: z.string(),
  /** Complete `CREATE TYPE` or `CREATE DOMAIN` statement. */
  statement: z.string(),
})

export const definitionSchema = z.object({
  /** In the order in which they must be created. */
  types: z.array(typeDefinitionSchema),
  tables: z.array(tableDefinitionSchema),
})

/** A table on which rights depend, synced or not. It concerns the server alone: replicas learn nothing of it. */
export const watchedTableSchema = z.object({
  id: z.string(),
  schema: z.string(),
  name: z.string(),
  /** Column with the id of the user whose rights a row decides; null: a change concerns everyone. */
  user: z.nullable(z.string()),
})

export type WatchedTable = z.infer<typeof watchedTableSchema>
export type ColumnDefinition = z.infer<typeof columnSchema>
export type KeptAudience = z.infer<typeof keptAudienceSchema>
export type AudienceRule = z.infer<typeof audienceRuleSchema>
export type TableDefinition = z.infer<typeof tableDefinitionSchema>
export type Definition = z.infer<typeof definitionSchema>

/** A definition in force, with the names it goes by: `version` counts up in the database, `hash` is of its content. */
export interface DefinitionInForce {
  readonly version: number
  readonly hash: string
  readonly definition: Definition
  /** A later version that nobody can read, so that this one is still in force; `tidemark migrate` replaces it. */
  readonly passedOver?: number
  /** Known on the server alone, and no part of the hash: the rows of replicas do not depend on it. */
  readonly watched?: readonly WatchedTable[]
  /** Ids of tables of whose former values history keeps nothing, in order; known on the server alone, and no part of the hash. */
  readonly keysOnly?: readonly string[] | undefined
  /** The ways in which replicas make its tables from those of the version before; tables that have none are kept, or loaded. */
  readonly steps?: readonly TableStep[]
  /** The new names of tables that have no step, and of their columns, as far as they were found again. */
  readonly names?: readonly TableStep[]
  /** The pages that it is for; no part of the hash. */
  readonly bundles?: Bundles
}

/** Returns the columns whose values travel: all but those that a replica generates, in definition order. */
export function travellingColumns(table: TableDefinition): ColumnDefinition[] {
  return table.columns.filter((column) => column.generated === null)
}

/** A column of a key that replicas number by keys which they lease of a sequence. */
export interface LeasedColumn {
  readonly table: TableDefinition
  readonly column: string
  readonly sequence: string
}

/** Returns such a column of a table, which is named as in SQL; null where there is none. */
export function leasedColumnOf({ tables }: Pick<Definition, 'tables'>, name: string): LeasedColumn | null {
  const table = tables.find(({ id }) => id === name || id === `public.${name}`)
  for (const { name: column, leased: sequence } of table?.columns ?? [])
    if (table && sequence !== undefined) return { table, column, sequence }
  return null
}

/** The fault of an action that asks for a key where there is none. */
export const noLeasedKey = (name: string): string =>
  `key('${name}'): no sequence numbers the key of a synced table of this name for replicas; its table needs write: 'all'.`

/** Returns the sequences of which a replica leases keys. */
export function leasedSequences({ tables }: Pick<Definition, 'tables'>): Set<string> {
  return new Set(tables.flatMap(({ columns }) => columns.flatMap(({ leased }) => leased ?? [])))
}

/** Returns the columns to which a mutation may give values. */
export function writableColumns(table: TableDefinition): ColumnDefinition[] {
  return travellingColumns(table).filter((column) => !column.serverGenerated)
}

/**
 * Tells whether a row may be written without its audience, which the server then fills in: in a mutation it is the
 * empty text.
 */
export function isAudienceLeft({ audience: rule, columns }: Pick<TableDefinition, 'audience' | 'columns'>): boolean {
  return 'column' in rule && columns.some(({ name, serverDefault }) => name === rule.column && serverDefault)
}

/** Returns the app's types of a table's columns; one too many where a name is part of another. */
export function typesOf(columns: readonly ColumnDefinition[], types: Definition['types']): Definition['types'] {
  return types.filter(({ name }) => columns.some(({ type }) => type.includes(name.replaceAll('"', '""'))))
}

/** Returns the audience of a row by its table's rule; null where the column is NULL and nobody sees the row. */
export function audienceOf(
  rule: AudienceRule,
  row: Readonly<Record<string, string | null | undefined>>,
): string | null {
  if ('constant' in rule) return rule.constant
  const value = row[rule.column]
  return value === null || value === undefined ? null : `${rule.prefix}:${value}`
}
