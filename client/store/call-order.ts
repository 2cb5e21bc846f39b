/** A call that was sent, whose answer comes later; wrapped, since a promise in a promise would be waited for. */
interface Sent<Answer> {
  readonly answer: Promise<Answer>
}

/** Sends calls in the order in which they were made, though some have to ask something before they can be sent. */
export class CallOrder {
  readonly #last = new Map<string | null, Promise<unknown>>()

  /**
   * Calls `send` once everything made before in the same transaction (null: outside any) was sent, and answers what it does.
   * Transactions do not wait for each other, since what is asked outside waits for the end of one that is open.
   */
  async run<Answer>(transaction: string | null, send: () => Promise<Sent<Answer>>): Promise<Answer> {
    const before = this.#last.get(transaction)
    const sent = before ? before.then(send) : send()
    const settled = sent.then(
      () => undefined,
      () => undefined,
    )
    this.#last.set(transaction, settled)
    void settled.then(() => this.#last.get(transaction) === settled && this.#last.delete(transaction))
    return (await sent).answer
  }

  /** Works as `run`, for a call that is over in one step. */
  begin<Answer>(transaction: string | null, send: () => Promise<Answer>): Promise<Answer> {
    return this.run(transaction, async () => ({ answer: send() }))
  }

  /** Works as `run`, for a call of several steps: what is called later waits until it is over. */
  finish<Answer>(transaction: string | null, work: () => Promise<Answer>): Promise<Answer> {
    return this.run(transaction, async () => {
      const done = await work()
      return { answer: Promise.resolve(done) }
    })
  }
}
