import type { PGlite, Transaction } from '@electric-sql/pglite'
import { describeInTransaction, describeStatement } from './describe-statement.ts'
import { dumpInTurn } from './dump-in-turn.ts'
import type { FromDatabase, PageCalls, PageMethod, ToDatabase } from './page-messages.ts'
import { encodePlainError } from './rules/plain-error.ts'
import { execAsText, queryAsText } from './run-statement-as-text.ts'

type ServedCalls = {
  readonly [Method in PageMethod]: (
    ...args: Parameters<PageCalls[Method]>
  ) => ReturnType<PageCalls[Method]> | Promise<ReturnType<PageCalls[Method]>>
}

interface OpenTransaction {
  readonly tx: Transaction
  readonly end: (isCommit: boolean) => void
  /** Resolves once it is committed or rolled back. */
  readonly ended: Promise<void>
}

/** Answers the function that takes a page's calls; `post` brings it answers and the notifications before them. */
export function servePage(db: PGlite, post: (message: FromDatabase) => void) {
  const calls = makeCalls(db)
  db.onNotification((channel, payload) => post({ type: 'notification', channel, payload }))
  return async ({ call, method, args }: Extract<ToDatabase, { type: 'call' }>): Promise<void> => {
    try {
      const serve = calls[method] as (...args: readonly unknown[]) => unknown
      post({ type: 'answer', call, answer: await serve(...args) })
    } catch (error) {
      post({ type: 'error', call, error: encodePlainError(error) })
    }
  }
}

function makeCalls(db: PGlite): ServedCalls {
  const open = new Map<string, OpenTransaction>()
  let letGo: () => void = () => undefined

  function transactionOf(id: string): OpenTransaction {
    const found = open.get(id)
    if (!found) throw new Error('Transaction is closed')
    return found
  }
  const runnerOf = (id: string | null) => (id === null ? db : transactionOf(id).tx)

  return {
    query: (text, params, details, id) => queryAsText(db, runnerOf(id), text, params, details),
    exec: (text, details, id) => execAsText(db, runnerOf(id), text, details),
    describe: (text, id) => (id === null ? describeStatement(db, text) : describeInTransaction(db, text)),
    begin: (id) =>
      new Promise((resolve, reject) => {
        const { promise: decided, resolve: end } = Promise.withResolvers<boolean>()
        const ended = db.transaction(async (tx) => {
          open.set(id, { tx, end, ended })
          resolve(null)
          if (!(await decided)) await tx.rollback()
        })
        ended.catch(reject).finally(() => open.delete(id))
      }),
    async end(id, isCommit) {
      const { end, ended } = transactionOf(id)
      end(isCommit)
      await ended
      return null
    },
    hold: () =>
      new Promise((resolve) => {
        void db.runExclusive(() => {
          resolve(null)
          return new Promise<void>((done) => {
            letGo = done
          })
        })
      }),
    letGo() {
      letGo()
      return null
    },
    execProtocol: async (message) => {
      const { messages, data } = await db.execProtocol(message)
      return { messages, data: data.slice() }
    },
    // It may be a view of all of PGlite's memory.
    execProtocolRaw: async (message) => (await db.execProtocolRaw(message)).slice(),
    execProtocolStream: (message) => db.execProtocolStream(message),
    async refreshArrayTypes() {
      await db.refreshArrayTypes()
      return null
    },
    dumpDataDir: (compression) => dumpInTurn(db, compression),
    async syncToFs() {
      await db.syncToFs()
      return null
    },
  }
}
