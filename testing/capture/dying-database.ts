import type { Database, DatabaseTransaction, QueryRows } from '../../workers/database/index.ts'

/** Thrown where the process that held the connection is gone. */
export class Killed extends Error {}

/** A moment of a cycle: before or after a statement that matches; `commit` stands for the history transaction's end. */
export interface Moment {
  readonly when: 'before' | 'after'
  readonly statement: RegExp | 'commit'
}

/** Wraps a connection whose holder is killed at a moment; nothing more is done through it. */
export function dyingAt(database: Database, moment: Moment): Database {
  let dead = false
  const guard = async <T>(text: string, run: () => Promise<T>): Promise<T> => {
    if (dead) throw new Killed()
    const hit = moment.statement !== 'commit' && moment.statement.test(text)
    if (hit && moment.when === 'before') throw die()
    const result = await run()
    if (hit) throw die()
    return result
  }
  const die = () => {
    dead = true
    return new Killed(`killed ${moment.when} ${String(moment.statement)}`)
  }
  const wrapRows =
    (rows: QueryRows): QueryRows =>
    (text, params) =>
      guard(text, () => rows(text, params))
  return {
    usable: true,
    processId: database.processId,
    query: (text, params) => guard(text, () => database.query(text, params)),
    rows: wrapRows(database.rows),
    close: async () => {},
    reset: () => database.reset(),
    transaction: async (run, options) => {
      if (dead) throw new Killed()
      let wrote = false
      const result = await database.transaction(async (transaction) => {
        const wrapped: DatabaseTransaction = {
          query: (text, params) => guard(text, () => transaction.query(text, params)),
          last: (text, params) => guard(text, () => transaction.last(text, params)),
          single: (text, params) => guard(text, () => transaction.single(text, params)),
          rows: (text, params) => {
            wrote ||= /INSERT INTO tidemark.change_history/.test(text)
            return guard(text, () => transaction.rows(text, params))
          },
          pages: (text, params, pageOptions) => transaction.pages(text, params, pageOptions),
        }
        const value = await run(wrapped)
        if (wrote && moment.statement === 'commit' && moment.when === 'before') throw die()
        return value
      }, options)
      if (wrote && moment.statement === 'commit') throw die()
      return result
    },
  }
}
