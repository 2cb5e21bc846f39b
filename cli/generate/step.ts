import { quoteTable } from '../../protocol/sql-identifier.ts'

/** One statement of a migration, and in a sentence what it does to the rows. */
export interface Step {
  readonly statement: string
  readonly says: string
}

/** The findings of a comparison. */
export interface Comparison {
  /** Enum labels, which no statement of their transaction may use. */
  readonly labels: readonly Step[]
  readonly steps: readonly Step[]
  /** The questions that cannot be decided here, one sentence each with the options that decide it; with any, nothing is written. */
  readonly questions: readonly string[]
  /** The tables and columns that stay although no entity has them. */
  readonly notes: readonly string[]
}

/** A table as options and sentences name it: without the default schema. */
export const shownTable = ({ schema, name }: { schema: string; name: string }) =>
  schema === 'public' ? name : `${schema}.${name}`

export const alter = (table: { schema: string; name: string }, action: string) =>
  `ALTER TABLE ${quoteTable(table)} ${action}`
