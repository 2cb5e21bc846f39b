import type { Lsn, MutationId, Rejection, Row } from '../../protocol/index.ts'

/**
 * `pending`: locally durable and never sent. `sent`: a push may have reached the server. `confirmed`: seen in the stream.
 * `failed`: undone here, and kept until the app decides. The last two are final.
 */
export type MutationStatus = 'pending' | 'sent' | 'confirmed' | 'failed'

/** What a local write or an action answers once it is durable here. */
export interface MutationHandle {
  readonly id: MutationId
  /**
   * Resolves when the mutation is confirmed, and rejects with MutationFailed when it fails. Nobody needs to look at it.
   */
  readonly confirmed: Promise<void>
}

/** Why a mutation failed: the server's rejection, or the same found here before it was sent. */
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
  /** What the author wrote: the changed columns of an update, the row of an insert, null of a delete. */
  readonly local: Row | null
  /** The row as it is here now, which is the server's; null where there is none. */
  readonly server: Row | null
}

/** A mutation that failed and waits for the app to decide. */
export interface Failure {
  readonly id: MutationId
  /** An action's; null for a patch. */
  readonly action: { readonly name: string; readonly args: unknown } | null
  /** ISO 8601. */
  readonly at: string
  readonly rejection: Rejection
  readonly rows: readonly FailedRow[]
  /** Makes it anew on what is here now, as a new mutation. */
  retry(): Promise<MutationHandle>
  /** As `retry`, of a patch with other values for these columns of its row at `row`, of an action with other arguments. */
  edit(change: { readonly row: number; readonly values: Row } | { readonly args: unknown }): Promise<MutationHandle>
  discard(): Promise<void>
}

/** A mutation as the log of them shows it. */
export interface MutationRecord {
  readonly id: MutationId
  readonly kind: 'patch' | 'action'
  readonly action: { readonly name: string; readonly args: unknown } | null
  readonly status: MutationStatus
  /** False while it is sent and cannot be shown on the rows as they are now. */
  readonly effective: boolean
  readonly at: string
  readonly rejection: Rejection | null
  /** Commit at which it was confirmed. */
  readonly lsn: Lsn | null
  /** What it does to rows here. */
  readonly writes: readonly {
    readonly table: string
    readonly op: 'insert' | 'update' | 'delete'
    readonly before: Row | null
    readonly after: Row | null
  }[]
}
