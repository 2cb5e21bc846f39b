import * as z from 'zod/mini'

/** How one statement made values of a column's next type: by an expression that reads the column alone. */
export const retypeSchema = z.object({
  /** The column's name in the expression. */
  column: z.string(),
  /** The type that it had, and the one that it got, without length; as SQL names them under an empty search path. */
  from: z.string(),
  to: z.string(),
  expression: z.string(),
})

export type Retype = z.infer<typeof retypeSchema>

/**
 * The way in which a replica makes a table of one version of the definition from the one before, without loading a row.
 *
 * It is derived from the catalogue in the transaction that put the version in force, by the identity of tables and
 * columns there, so that a rename is one and no guess. A table whose rows changed otherwise has no step and is loaded.
 */
export const tableStepSchema = z.object({
  /** The table's id in this version. */
  table: z.string(),
  /** Its id in the version before; null: it held no row when it joined. */
  from: z.nullable(z.string()),
  /** All columns of the table in this version; empty where `from` is null. */
  columns: z.array(
    z.object({
      name: z.string(),
      /** Its name in the version before; null: it was added. */
      from: z.nullable(z.string()),
      /** The text of the value that rows from before have in an added column; absent for NULL. */
      value: z.optional(z.string()),
      /** New names of its enum's labels, by those before. */
      labels: z.optional(z.record(z.string(), z.string())),
      /**
       * How values from before become its own, statement by statement; null: by nothing that could be done again
       * elsewhere. Absent: they are the same.
       */
      retyped: z.optional(z.nullable(z.array(retypeSchema))),
    }),
  ),
})

export type TableStep = z.infer<typeof tableStepSchema>
