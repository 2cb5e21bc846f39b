import type { HeldResult, LiveConnection, LiveMessage, QueryText } from './live-messages.ts'

/** What a store does with the messages of its query. */
export interface QueryListener {
  /** What is held of the query. */
  held(): HeldResult
  onResult(message: LiveMessage & { readonly type: 'result' }): void
  onFault(message: LiveMessage & { readonly type: 'fault' }): void
}

/** A query that is open in the engine. */
export interface ClientQuery {
  acknowledge(): void
  /** Resolves when everything committed before the call is shown, or a fault is; also when the query is closed. */
  refresh(): Promise<void>
  close(): void
}

/** The page's end of a connection to the engine: hands messages to the query that they are of. */
export class LiveClient {
  readonly #connection: LiveConnection
  readonly #open = new Map<number, { readonly text: QueryText; readonly listener: QueryListener }>()
  readonly #refreshes = new Map<number, { readonly query: number; readonly done: () => void }>()
  #last = 0

  constructor(connect: (send: (message: LiveMessage) => void) => LiveConnection) {
    // Also beside the engine, a message comes after the call that caused it, as over a port.
    this.#connection = connect((message) => queueMicrotask(() => this.#note(message)))
  }

  open(text: QueryText, listener: QueryListener): ClientQuery {
    const query = ++this.#last
    this.#open.set(query, { text, listener })
    this.#connection.open(query, text)
    return {
      acknowledge: () => this.#connection.acknowledge(query),
      refresh: () => this.#refresh(query),
      close: () => {
        this.#open.delete(query)
        this.#endRefreshes(query)
        this.#connection.close(query)
      },
    }
  }

  /** Opens all queries with an engine that does not know them: each gets the difference to what is held. */
  openAgain(): void {
    for (const [query, { text, listener }] of this.#open) this.#connection.open(query, text, listener.held())
    for (const [refresh, { query }] of this.#refreshes) this.#connection.refresh(query, refresh)
  }

  /** Ends all queries; nothing is called back any more. */
  close(): void {
    for (const query of this.#open.keys()) this.#endRefreshes(query)
    this.#open.clear()
    this.#connection.closeClient()
  }

  #note(message: LiveMessage): void {
    const { query } = message
    if (message.type === 'result') this.#open.get(query)?.listener.onResult(message)
    else if (message.type === 'fault') {
      this.#open.get(query)?.listener.onFault(message)
      if (message.isFinal) this.#endRefreshes(query)
    } else {
      this.#refreshes.get(message.refresh)?.done()
      this.#refreshes.delete(message.refresh)
    }
  }

  #refresh(query: number): Promise<void> {
    if (!this.#open.has(query)) return Promise.resolve()
    const refresh = ++this.#last
    return new Promise((done) => {
      this.#refreshes.set(refresh, { query, done })
      this.#connection.refresh(query, refresh)
    })
  }

  #endRefreshes(query: number): void {
    for (const [refresh, one] of this.#refreshes) {
      if (one.query !== query) continue
      one.done()
      this.#refreshes.delete(refresh)
    }
  }
}
