import type { Lsn, Xid } from '../../../protocol/index.ts'
import type { TablePlan, Values } from './table-plan.ts'

/** What a decoder makes of the log, whatever the plugin: whole transactions in commit order, synced tables only. */
export type SourceEvent =
  | { readonly type: 'begin'; readonly xid: Xid; readonly lsn: Lsn; readonly committedAt: string }
  | {
      readonly type: 'row'
      readonly plan: TablePlan
      /** Null of an insert. Incomplete where the table has lost REPLICA IDENTITY FULL. */
      readonly old: Values | null
      /** Null of a delete. An unchanged TOASTed value is undefined. */
      readonly new: Values | null
    }
  | { readonly type: 'truncate'; readonly plan: TablePlan }
  /** What the app says of the transaction it stands in: JSON text of an object, as `readAnnotation` lets it through. */
  | { readonly type: 'annotation'; readonly metadata: string }
  | { readonly type: 'commit' }

export type BeginEvent = Extract<SourceEvent, { type: 'begin' }>
export type RowEvent = Extract<SourceEvent, { type: 'row' }>
/** What happened to a table. */
export type TableEvent = Extract<SourceEvent, { type: 'row' | 'truncate' }>
