import type { Lsn, MutationId, Rejection, Row } from '../../protocol/index.ts'

/**
 * `pending`: locally durable and never sent. `sent`: a push may have reached the server. `confirmed`: seen in the stream.
 * `failed`: undone here, and kept until the app decides. The last two are final.
 */
export type MutationStatus = 'pending' | 'sent' | 'confirmed' | 'failed'

/** The handle of a local write or an action, answered once it is durable here. */
export interface MutationHandle {
  readonly id: MutationId
  /**
   * Resolves when the mutation is confirmed, and rejects with MutationFailed when it fails. It need not be looked at.
   */
  readonly confirmed: Promise<void>
}

/** The error of a failed mutation, with the server's rejection or one found here before it was sent. */
export class MutationFailed extends Error {
  override readonly name = 'MutationFailed'
  readonly id: MutationId
  readonly rejection: Rejection

  constructor(id: MutationId, rejection: Rejection) {
    super(rejection.message)
    this.id = id
    this.rejection = rejection
  }
}

/** One row of a failed mutation; values are Postgres text. */
export interface FailedRow {
  readonly table: string
  readonly key: Row
  readonly op: 'insert' | 'update' | 'delete'
  /** The author's values: the changed columns of an update, the row of an insert, null for a delete. */
  readonly local: Row | null
  /** The row as it is here now, which is the server's; null where there is none. */
  readonly server: Row | null
}

/** Other values for columns of a patch's row at `row`, or other arguments of an action. */
export type FailureEdit = { readonly row: number; readonly values: Row } | { readonly args: unknown }

/** What the app decides about a failed mutation. */
export type FailureDecision =
  | { readonly kind: 'retry' }
  | { readonly kind: 'edit'; readonly change: FailureEdit }
  | { readonly kind: 'discard' }

/** A mutation that failed and waits for the app to decide, as data. */
export interface FailureRecord {
  readonly id: MutationId
  /** Null for a patch. */
  readonly action: { readonly name: string; readonly args: unknown } | null
  /** ISO 8601. */
  readonly at: string
  readonly rejection: Rejection
  readonly rows: readonly FailedRow[]
}

/** A failure with what may be done about it; where it was decided on already, a second decision answers what the first made. */
export interface Failure extends FailureRecord {
  /** Makes it anew, as a new mutation, on the rows as they are here now. */
  retry(): Promise<MutationHandle>
  /** Works as `retry`, with what is to be other. */
  edit(change: FailureEdit): Promise<MutationHandle>
  discard(): Promise<void>
}

/** A mutation as the mutation log shows it. */
export interface MutationRecord {
  readonly id: MutationId
  readonly kind: 'patch' | 'action'
  readonly action: { readonly name: string; readonly args: unknown } | null
  readonly status: MutationStatus
  /** False while it is sent and cannot be shown on the rows as they are now. */
  readonly effective: boolean
  readonly at: string
  readonly rejection: Rejection | null
  /** The LSN of the commit by which it was confirmed. */
  readonly lsn: Lsn | null
  /** The changes that it makes to rows here. */
  readonly writes: readonly {
    readonly table: string
    readonly op: 'insert' | 'update' | 'delete'
    readonly before: Row | null
    readonly after: Row | null
  }[]
}
