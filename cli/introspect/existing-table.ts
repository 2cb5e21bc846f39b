import type { CatalogueTable } from '../../db/definition/catalogue.ts'

/** A table of a database as it was found, with what a decision on it rests on. */
export interface ExistingTable {
  readonly catalogue: CatalogueTable
  /** Null where the server has no estimate; see `TableSize`. */
  readonly rows: number | null
  readonly bytes: number
  /** Leaf partitions of a partitioned table. */
  readonly partitions: number
  /** `a` always, `d` by default, by the name of the identity column. */
  readonly identities: Readonly<Record<string, string>>
  /** What the statistics say of columns; those that were never analysed are absent. */
  readonly spread: Readonly<Record<string, ColumnSpread>>
  readonly rowSecurity: boolean
  readonly policies: readonly { readonly name: string; readonly roles: readonly string[]; readonly command: string }[]
  /** Roles besides the owner that have rights on it. */
  readonly grantees: readonly string[]
  /** True where the connecting role may alter it. */
  readonly owned: boolean
}

export interface ColumnSpread {
  /** pg_stats.n_distinct: a count, or where negative the share of the rows. */
  readonly distinct: number
  /** The share of the rows that have the most common value; 0 where none is common. */
  readonly largest: number
}

/** A database as it was found. */
export interface ExistingDatabase {
  readonly tables: readonly ExistingTable[]
  /** Names of tables in which tools keep record of their migrations. */
  readonly records: readonly string[]
  /** Names of views and foreign tables, none of which can travel. */
  readonly views: readonly string[]
  readonly server: { readonly version: string; readonly walLevel: string }
}

/** The columns that each reference of the table names, one by one where it has several. */
export type ForeignKey = CatalogueTable['foreignKeys'][number]
