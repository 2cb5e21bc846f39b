import type { Database, DatabaseTransaction } from '../../workers/database/index.ts'

/** A record of everything that passed through a connection's transactions. */
export interface Traffic {
  /** Rows of the largest page read, and of the largest page stored in history. */
  mostRead: number
  mostStored: number
  /** Texts read page by page, with their parameters. */
  readonly read: { readonly text: string; readonly params: Parameters<DatabaseTransaction['pages']>[1] }[]
}

/** Wraps a connection to record its traffic, which may be added to that of another. */
export function watched(
  database: Database,
  traffic: Traffic = { mostRead: 0, mostStored: 0, read: [] },
): { readonly database: Database; readonly traffic: Traffic } {
  const watch = (transaction: DatabaseTransaction): DatabaseTransaction => ({
    query: transaction.query,
    last: transaction.last,
    single: transaction.single,
    rows: (text, params) => {
      if (/INSERT INTO tidemark.change_history/.test(text)) {
        traffic.mostStored = Math.max(traffic.mostStored, String(params?.[1]).split(',').length)
      }
      return transaction.rows(text, params)
    },
    pages: (text, params, options) => {
      traffic.read.push({ text, params })
      const pages = transaction.pages(text, params, options)
      return {
        last: () => pages.last(),
        async *[Symbol.asyncIterator]() {
          for await (const page of pages) {
            traffic.mostRead = Math.max(traffic.mostRead, page.length)
            yield page
          }
        },
      }
    },
  })
  return {
    traffic,
    database: {
      processId: database.processId,
      query: database.query,
      rows: database.rows,
      close: () => database.close(),
      reset: () => database.reset(),
      transaction: (run, options) => database.transaction((transaction) => run(watch(transaction)), options),
      get usable() {
        return database.usable
      },
    },
  }
}
