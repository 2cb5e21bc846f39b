import * as z from 'zod/mini'
import { lsnSchema } from './lsn-schema.ts'

const rowSchema = z.record(z.string(), z.nullable(z.string()))

/** One change of a row, as far as its reader may know of it. */
const toldChangeSchema = z.object({
  lsn: lsnSchema,
  seq: z.int(),
  /** The time of the commit: ISO 8601, UTC. */
  at: z.string(),
  operation: z.enum(['insert', 'update', 'delete', 'truncate']),
  /** insert: the row. update: the changed columns. */
  data: z.nullable(rowSchema),
  /** update: what they were. delete: the row. */
  before: z.nullable(rowSchema),
  /** The user whose replica wrote it; null where none did. */
  user: z.nullable(z.string()),
  /** The mutation, where it is the reader's own; else null. */
  mutation: z.nullable(z.string()),
})

/** A change with the row that it is of. */
const activityChangeSchema = z.extend(toldChangeSchema, { audience: z.string(), table: z.string(), key: rowSchema })

/** Answer of `GET /sync/history/:table/:key`. */
export const historyPageSchema = z.object({
  epoch: z.string(),
  /** Everything above it is kept. */
  from: lsnSchema,
  changes: z.array(toldChangeSchema),
  /** Given as `before`, it brings the page after this one; null: there is none. */
  next: z.nullable(z.string()),
})

/** Answer of `GET /sync/activity`. A page may hold fewer changes than asked for, or none, while `next` is not null. */
export const activityPageSchema = z.extend(historyPageSchema, { changes: z.array(activityChangeSchema) })

/**
 * Why a column's value of then cannot be said now: it had another name, another type, or did not travel for a while.
 */
const untoldSchema = z.object({ column: z.string(), why: z.enum(['renamed', 'retyped', 'hidden']) })

/** Answer of `GET /sync/history/:table/:key?at=`. */
export const pastRowSchema = z.object({
  epoch: z.string(),
  row: z.nullable(rowSchema),
  /** Columns of now that `row` leaves out. */
  untold: z.array(untoldSchema),
  /** Columns that the row had then, and has no more under any name. */
  gone: z.array(z.string()),
  /** Columns that the server writes with every update. */
  stamps: z.array(z.string()),
})

/** Answer of `GET /sync/history/mutation/:id`. */
export const mutationHistorySchema = z.object({
  epoch: z.string(),
  lsn: lsnSchema,
  at: z.string(),
  /** False where it changed rows besides that its author does not see, or no longer sees. */
  isWhole: z.boolean(),
  /** In the order in which they were made. */
  changes: z.array(
    z.object({
      table: z.string(),
      key: rowSchema,
      operation: z.enum(['insert', 'update', 'delete']),
      data: z.nullable(rowSchema),
      before: z.nullable(rowSchema),
      /** The columns of the row whose values of then cannot be said now, as far as they concern it. */
      untold: z.array(z.string()),
    }),
  ),
  /** By table, the columns that the server writes with every update. */
  stamps: z.record(z.string(), z.array(z.string())),
  /** How rows refer to those of its tables, by foreign keys of the server that a replica may not have. */
  references: z.array(
    z.object({
      table: z.string(),
      columns: z.array(z.string()),
      parent: z.string(),
      parentColumns: z.array(z.string()),
    }),
  ),
})

export type ToldChange = z.infer<typeof toldChangeSchema>
export type ActivityChange = z.infer<typeof activityChangeSchema>
export type HistoryPage = z.infer<typeof historyPageSchema>
export type ActivityPage = z.infer<typeof activityPageSchema>
export type UntoldColumn = z.infer<typeof untoldSchema>
export type PastRow = z.infer<typeof pastRowSchema>
export type MutationHistory = z.infer<typeof mutationHistorySchema>
