import type { Database, DatabaseTransaction } from '../../workers/database/index.ts'

/** Wraps a connection so that each statement first waits for `before`, which gets its text. */
export function interposed(database: Database, before: (text: string) => Promise<void>): Database {
  const wrap = ({ query, last, single, rows, pages }: DatabaseTransaction): DatabaseTransaction => ({
    query: (text, params) => before(text).then(() => query(text, params)),
    last: (text, params) => before(text).then(() => last(text, params)),
    single: (text, params) => before(text).then(() => single(text, params)),
    rows: (text, params) => before(text).then(() => rows(text, params)),
    pages: (text, params, options) => {
      let opened: ReturnType<DatabaseTransaction['pages']> | null = null
      return {
        last: async () => (await opened?.last()) ?? null,
        async *[Symbol.asyncIterator]() {
          await before(text)
          opened = pages(text, params, options)
          yield* opened
        },
      }
    },
  })
  return {
    processId: database.processId,
    query: (text, params) => before(text).then(() => database.query(text, params)),
    rows: (text, params) => before(text).then(() => database.rows(text, params)),
    close: () => database.close(),
    reset: () => database.reset(),
    transaction: (run, options) => database.transaction((transaction) => run(wrap(transaction)), options),
    get usable() {
      return database.usable
    },
  }
}
