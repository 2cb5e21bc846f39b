import type { PlainError } from './rules/plain-error.ts'
import type { QueryDetails, TextDescription, TextResult } from './text-result.ts'

/** The calls of a page to the worker of its database: a statement is one of them, whole. Transactions have names. */
export interface PageCalls {
  query: (text: string, params: readonly unknown[], details: QueryDetails, transaction: string | null) => TextResult
  exec: (text: string, details: QueryDetails, transaction: string | null) => readonly TextResult[]
  describe: (text: string, transaction: string | null) => TextDescription
  begin: (transaction: string) => null
  end: (transaction: string, isCommit: boolean) => null
  /** Nobody's statement runs until it is let go. */
  hold: () => null
  letGo: () => null
  execProtocol: (message: Uint8Array) => object
  execProtocolRaw: (message: Uint8Array) => Uint8Array
  execProtocolStream: (message: Uint8Array) => readonly object[]
  refreshArrayTypes: () => null
  dumpDataDir: (compression: 'none' | 'gzip' | 'auto' | undefined) => Blob
  syncToFs: () => null
}

export type PageMethod = keyof PageCalls

/** The lock that the worker of a database holds while it lives, so that its end is known and two never share the files. */
export const databaseLock = (dataDir: string) => `tidemark-database:${dataDir}`

/** What a page tells the worker of its database; it takes calls as soon as it was told to open. */
export type ToDatabase =
  /** It loads and compiles PGlite, for a database that is opened later. */
  | { readonly type: 'prepare' }
  | { readonly type: 'open'; readonly dataDir: string; readonly image: Blob | null }
  /** The replica is open, and the app's statements follow. */
  | { readonly type: 'opened' }
  | { readonly type: 'call'; readonly call: number; readonly method: PageMethod; readonly args: readonly unknown[] }

/** What the worker of a database tells its page. */
export type FromDatabase =
  | { readonly type: 'alive'; readonly signs: number }
  | { readonly type: 'prepared' }
  | { readonly type: 'ready' }
  | { readonly type: 'failed'; readonly message: string; readonly words: readonly string[] }
  | { readonly type: 'answer'; readonly call: number; readonly answer: unknown }
  | { readonly type: 'error'; readonly call: number; readonly error: PlainError }
  /** Postgres panicked; the worker takes no call any more. */
  | { readonly type: 'lost'; readonly message: string }
  | { readonly type: 'notification'; readonly channel: string; readonly payload: string }
