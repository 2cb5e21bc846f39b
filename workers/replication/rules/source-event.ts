import type { Lsn, Xid } from '../../../protocol/index.ts'
import type { TablePlan, TablePlans, Values } from './table-plan.ts'

/** An event that a decoder of any plugin makes of the log: whole transactions in commit order, planned tables only. */
export type SourceEvent =
  | { readonly type: 'begin'; readonly xid: Xid; readonly lsn: Lsn; readonly committedAt: string }
  | {
      readonly type: 'row'
      readonly plan: TablePlan
      /** Null for an insert; incomplete where the table has lost REPLICA IDENTITY FULL. */
      readonly old: Values | null
      /** Null for a delete; an unchanged TOASTed value is undefined. */
      readonly new: Values | null
      /** The plans by which the log is read from here on, where the row puts a definition in force. */
      readonly announces?: TablePlans
    }
  | { readonly type: 'truncate'; readonly plan: TablePlan }
  /** The app's annotation of the transaction it stands in: JSON text of an object, as `readAnnotation` accepts it. */
  | { readonly type: 'annotation'; readonly metadata: string }
  | { readonly type: 'commit' }

export type BeginEvent = Extract<SourceEvent, { type: 'begin' }>
export type RowEvent = Extract<SourceEvent, { type: 'row' }>
/** An event that concerns one table. */
export type TableEvent = Extract<SourceEvent, { type: 'row' | 'truncate' }>
