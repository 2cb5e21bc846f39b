import type { LocalStore } from '../mutations/local-store.ts'

/** What the replica needs of the outbox while the server's rows come in. */
export interface PendingWork extends LocalStore {
  start(): Promise<void>
  stop(): Promise<void>
  /** Whether a push with something unsettled may have reached the server. */
  unsettledSent(): Promise<boolean>
  /**
   * Before a loaded copy joins: asks what became of all that was sent, since the stream may never tell. Rejects with TidemarkError.
   */
  askBeforeJoin(epoch: string, signal: AbortSignal): Promise<void>
}
