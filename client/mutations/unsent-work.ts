/** Thrown by a sign-out that would drop work which the server does not have; nothing was changed. */
export class UnsentWork extends Error {
  override readonly name = 'UnsentWork'
  /** Mutations that the server has not decided, or whose commit has not come back. */
  readonly pending: number
  /** Mutations that failed and wait for the app to decide. */
  readonly failed: number

  constructor({ pending, failed }: Pick<UnsentWork, 'pending' | 'failed'>) {
    super(
      `Signing out would drop ${pending} unconfirmed and ${failed} failed changes: wait for replica.settled(), or ask the user and call signOut({ dropUnsent: true }).`,
    )
    this.pending = pending
    this.failed = failed
  }
}
