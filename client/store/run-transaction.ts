import type { QueryOptions, Results, Transaction } from '@electric-sql/pglite'

/** A transaction that another thread runs; `Ending` is what its end answers. */
export interface RemoteTransaction<Ending> {
  readonly isClosed: boolean
  query<Row>(text: string, params?: unknown[], options?: QueryOptions): Promise<Results<Row>>
  exec(text: string, options?: QueryOptions): Promise<Results[]>
  end(isCommit: boolean): Promise<Ending>
}

/** Runs `work` in an open transaction and ends it; `ending` is null where `work` rolled back. Rejects with what `work` throws. */
export async function runInTransaction<Result, Ending>(
  transaction: RemoteTransaction<Ending>,
  listen: Transaction['listen'],
  work: (tx: Transaction) => Promise<Result>,
): Promise<{ readonly result: Result; readonly ending: Ending | null }> {
  let isRolledBack = false
  const tx: Transaction = {
    query: (text, params, options) => transaction.query(text, params, options),
    exec: (text, options) => transaction.exec(text, options),
    async sql(strings, ...params) {
      const { query, params: values } = await formatted(strings, params)
      return transaction.query(query, values)
    },
    async rollback() {
      isRolledBack = true
      await transaction.end(false)
    },
    listen,
    get closed() {
      return transaction.isClosed
    },
  }
  let result: Result
  try {
    result = await work(tx)
  } catch (error) {
    // The transaction is over either way: what the function threw is what the app is to see.
    if (!isRolledBack) await transaction.end(false).catch(() => undefined)
    throw error
  }
  return { result, ending: isRolledBack ? null : await transaction.end(true) }
}

async function formatted(strings: TemplateStringsArray, params: unknown[]) {
  const { query } = await import('@electric-sql/pglite/template')
  return query(strings, ...params)
}
