import type { FromDatabase, PageCalls, PageMethod, ToDatabase } from './page-messages.ts'
import { decodePlainError } from './rules/plain-error.ts'

interface Waiting {
  readonly resolve: (answer: never) => void
  readonly reject: (error: Error) => void
}

/** The way from a page to the worker of its database: each call is one message there and one back, in their order. */
export class DatabaseLink {
  readonly #post: (message: ToDatabase) => void
  readonly #waiting = new Map<number, Waiting>()
  #last = 0
  #closed: Error | null = null

  constructor(post: (message: ToDatabase) => void) {
    this.#post = post
  }

  call<Method extends PageMethod>(
    method: Method,
    args: Parameters<PageCalls[Method]>,
  ): Promise<ReturnType<PageCalls[Method]>> {
    if (this.#closed) return Promise.reject(this.#closed)
    return new Promise((resolve, reject) => {
      const call = ++this.#last
      // What no structured clone carries is refused here, before anything waits for it.
      this.#post({ type: 'call', call, method, args })
      this.#waiting.set(call, { resolve: resolve as (answer: never) => void, reject })
    })
  }

  /** Ends the call that a message answers. */
  receive(message: FromDatabase): void {
    if (message.type !== 'answer' && message.type !== 'error') return
    const waiting = this.#waiting.get(message.call)
    this.#waiting.delete(message.call)
    if (message.type === 'answer') waiting?.resolve(message.answer as never)
    else waiting?.reject(decodePlainError(message.error))
  }

  /** Rejects everything that waits, and takes no calls any more. */
  close(error: Error): void {
    this.#closed ??= error
    for (const { reject } of this.#waiting.values()) reject(error)
    this.#waiting.clear()
  }
}
