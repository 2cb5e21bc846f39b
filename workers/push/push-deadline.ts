/** Thrown within a push whose time is over. */
export class DeadlinePassed extends Error {
  override readonly name = 'DeadlinePassed'
}

/** The time limit of a push, which nothing that runs in it can put off. */
export class PushDeadline {
  /** Rejects once the limit is reached and the session has been ended. */
  readonly ended: Promise<never>
  isPast = false
  readonly #timer: ReturnType<typeof setTimeout>

  /** `end` ends the session, and must not throw. */
  constructor(ms: number, end: () => Promise<void>) {
    let reject: (error: DeadlinePassed) => void = () => {}
    this.ended = new Promise((_resolve, no) => {
      reject = no
    })
    // Handled here as well, because nobody may be waiting.
    this.ended.catch(() => {})
    this.#timer = setTimeout(() => {
      this.isPast = true
      void end().finally(() => reject(new DeadlinePassed('The push took as long as one may.')))
    }, ms)
  }

  clear(): void {
    clearTimeout(this.#timer)
  }
}
