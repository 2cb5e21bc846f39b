import type { Lsn } from '../../protocol/index.ts'
import type { Statement } from '../oracle/workload-statements.ts'

/** One act of a replica, or of somebody in Postgres itself, at one moment; `token` stands in a row that it leaves. */
export type Operation =
  | { readonly kind: 'add'; readonly token: string; readonly tally: string }
  | { readonly kind: 'finish' | 'reopen'; readonly token: string; readonly task: string }
  | { readonly kind: 'split'; readonly token: string; readonly task: string; readonly names: readonly string[] }
  | { readonly kind: 'assign'; readonly token: string; readonly task: string; readonly person: string }
  | { readonly kind: 'report'; readonly token: string; readonly org: string; readonly answers: number }
  /** An answer to one of the newest tickets, which is called by its key as it is then. */
  | { readonly kind: 'answerTo'; readonly token: string; readonly org: string; readonly place: number }
  | { readonly kind: 'patch'; readonly token: string; readonly org: string; readonly statements: readonly Statement[] }
  /** Plain SQL that no token accounts for, such as writes that are squashed. */
  | { readonly kind: 'raw'; readonly token: null; readonly statements: readonly Statement[] }

/** Values are text or null. */
/** A request to the process of a replica. */
export type WriterRequest =
  | {
      readonly do: 'open'
      readonly url: string
      readonly token: string
      readonly user: string
      readonly storage: string
      /** True where visits are synced. */
      readonly visits: boolean
    }
  | { readonly do: 'operation'; readonly operation: Operation }
  | { readonly do: 'online' | 'offline' | 'settle' | 'undo' | 'close' | 'retryFailures' }
  | { readonly do: 'look'; readonly tables: readonly string[]; readonly invariants: readonly string[] }

/** One mutation as the replica reports it. */
export interface ReportedMutation {
  readonly id: string
  readonly status: string
}

export interface Look {
  readonly phase: string
  readonly pending: number
  readonly failed: number
  readonly error: string | null
  /** Rows by table, as sorted JSON text. */
  readonly rows: Readonly<Record<string, readonly string[]>>
  /** The ids of rows that break each invariant, in the order of the invariants. */
  readonly broken: readonly (readonly string[])[]
  readonly mutations: readonly ReportedMutation[]
  /** The rows of the server's that it shows; null before it is first ready. */
  readonly sample: SentSample | null
}

/** A sample of the replica, as its process sends it. */
export interface SentSample {
  readonly epoch: string
  readonly cursor: Lsn
  readonly version: number
  readonly audiences: readonly string[]
  readonly lines: readonly (readonly [table: string, lines: readonly string[]])[]
  readonly touched: readonly (readonly [table: string, keys: readonly string[]])[]
}

/** A failed mutation that was made anew, under another id, or under none where nothing was left to write. */
export interface Retry {
  readonly failed: string
  readonly again: string | null
}

export type WriterAnswer =
  | {
      readonly ok: true
      readonly id: string | null
      readonly look: Look | null
      readonly retries: readonly Retry[]
    }
  | { readonly ok: false; readonly message: string; readonly kind: string | null }
