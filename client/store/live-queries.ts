import type { PGliteInterface, Transaction } from '@electric-sql/pglite'
import type { LiveNamespace, LiveQuery, live } from '@electric-sql/pglite/live'
import { TidemarkError } from '../../protocol/index.ts'
import type { Database } from './database.ts'

type LiveExtension = typeof live

/** Recognises the error of a query that does not fit the tables; also by words: PGlite's worker loses SQLSTATE. */
function isMisfit(error: unknown): boolean {
  const { code = '', message = '' } = error as { readonly code?: string; readonly message?: string }
  return /^(42|22P02)/.test(code) || /\bdoes not exist\b|cannot be matched|invalid input syntax/i.test(message)
}

const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error))

interface LiveHost {
  /** Resolves when the synced tables hold a whole state; rejects when they never will. */
  readonly ready: Promise<void>
  readonly isReady: () => boolean
  /** Called when a live query ends because it no longer fits the synced tables. */
  readonly warn: (loss: string, cause: unknown) => void
}

/**
 * Answers PGlite's live queries, made to survive what happens to synced tables.
 *
 * A query opened before its tables are there waits for them. Where tables are made anew PGlite makes the query anew
 * from its text; one that no longer compiles then ends with a `schema-drift`, which `refresh` and `subscribe` throw.
 */
export async function makeLiveQueries(db: Database, extension: LiveExtension, host: LiveHost): Promise<LiveNamespace> {
  const open = async <Opened extends Pick<LiveQuery<unknown>, 'refresh'> & { subscribe: (callback: never) => void }>(
    text: string,
    opening: (namespace: LiveNamespace) => Promise<Opened>,
  ): Promise<Opened> => {
    const watched = new WatchedDatabase(db, text, host)
    const { namespaceObj } = await extension.setup(watched.database, {})
    if (!namespaceObj) throw new TidemarkError('internal', 'PGlite has no live queries.')
    return watched.watch(await openWhenThere(() => opening(namespaceObj), host))
  }
  const textOf = (query: string | { readonly query: string }) => (typeof query === 'string' ? query : query.query)
  // PGlite has each function in two forms, which pass through as they are.
  const through =
    (name: 'query' | 'changes' | 'incrementalQuery') =>
    (...args: readonly [string | { readonly query: string }, ...unknown[]]) =>
      open(textOf(args[0]), (namespace) =>
        (namespace[name] as (...args: readonly unknown[]) => Promise<LiveQuery<unknown>>)(...args),
      )
  const made = { query: through('query'), changes: through('changes'), incrementalQuery: through('incrementalQuery') }
  return made as unknown as LiveNamespace
}

async function openWhenThere<Opened>(open: () => Promise<Opened>, { ready, isReady }: LiveHost): Promise<Opened> {
  try {
    return await open()
  } catch (error) {
    if (isReady() || !isMisfit(error)) throw error
    await ready
    return open()
  }
}

/** The database as one live query sees it; it catches errors of PGlite making it anew, which nobody else would see. */
class WatchedDatabase {
  readonly database: PGliteInterface
  readonly #text: string
  readonly #host: LiveHost
  #isOpen = false
  #fault: TidemarkError | null = null

  constructor(db: Database, text: string, host: LiveHost) {
    this.#text = text
    this.#host = host
    const transaction = <Result>(work: (tx: Transaction) => Promise<Result>) =>
      this.#guard(db.transaction(work as (tx: Transaction) => Promise<Result>))
    this.database = new Proxy(db as unknown as PGliteInterface, {
      get(target, name) {
        if (name === 'transaction') return transaction
        const value: unknown = Reflect.get(target, name)
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
  }

  watch<Opened extends Pick<LiveQuery<unknown>, 'refresh'> & { subscribe: (callback: never) => void }>(
    opened: Opened,
  ): Opened {
    this.#isOpen = true
    const check = () => {
      if (this.#fault) throw this.#fault
    }
    return {
      ...opened,
      subscribe: (callback: never) => {
        check()
        opened.subscribe(callback)
      },
      refresh: async (options?: Parameters<Opened['refresh']>[0]) => {
        check()
        await Promise.race([opened.refresh(options), this.#ended])
        check()
      },
    }
  }

  #end: () => void = () => undefined
  readonly #ended = new Promise<void>((resolve) => {
    this.#end = resolve
  })

  /** Once the query is open, a fault ends it: PGlite, which would let it go unhandled, waits for ever instead. */
  async #guard<Result>(work: Promise<Result>): Promise<Result> {
    try {
      return await work
    } catch (error) {
      if (!this.#isOpen) throw error
      // The query was being closed while PGlite was about to make it anew.
      if (/prepared statement "live_query_/.test(messageOf(error))) return undefined as Result
      // PGlite makes `changes` anew where its own tables are missing.
      if (!isMisfit(error) || /live_query_[0-9a-f]{32}_state/.test(messageOf(error))) throw error
      const message = `A live query no longer fits the synced tables and has ended: ${this.#text.slice(0, 200)}`
      this.#fault = new TidemarkError('schema-drift', message, { cause: error })
      this.#host.warn(message, error)
      this.#end()
      return new Promise(() => undefined)
    }
  }
}
