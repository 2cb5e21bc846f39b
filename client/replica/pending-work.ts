import type { LocalStore } from '../mutations/local-store.ts'

/** The outbox, as the replica uses it while the server's rows come in. */
export interface PendingWork extends LocalStore {
  start(): Promise<void>
  stop(): Promise<void>
  /** Answers whether a push with something unsettled may have reached the server. */
  hasUnsettledSent(): Promise<boolean>
  /**
   * Asks, before a loaded copy joins, for the outcomes of all that was sent, since the stream may never bring them.
   * Rejects with TidemarkError.
   */
  askOutcomesBeforeJoin(epoch: string, signal: AbortSignal): Promise<void>
}
