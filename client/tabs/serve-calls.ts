import type { Transaction } from '@electric-sql/pglite'
import { type MutationId, TidemarkError } from '../../protocol/index.ts'
import type { LocalCore } from '../local-core.ts'
import type { Envelope } from '../replica/load-envelope.ts'
import { CallOrder } from '../store/call-order.ts'
import { type CallOrigin, markWithCall } from '../store/call-origin.ts'
import { describeInTransaction, describeStatement } from '../store/describe-statement.ts'
import { dumpInTurn } from '../store/dump-in-turn.ts'
import { readMadeByCall } from '../store/rows/mutation-rows.ts'
import { execAsText, queryAsText, type Runner } from '../store/run-statement-as-text.ts'
import type { TextResult } from '../store/text-result.ts'
import type { Leases } from './leases.ts'
import { answersRows, judgeStatement, writesSyncedOnly } from './rules/judge-statement.ts'
import { splitStatements } from './rules/split-statements.ts'
import type { TabCalls } from './tab-messages.ts'

/** A call of a tab, as the leader serves it. */
export interface Asked {
  readonly by: CallOrigin
  /** It was asked of an earlier leader, which may have done it. */
  readonly isAgain: boolean
}

export type ServedCalls = {
  readonly [Method in keyof TabCalls]: (
    asked: Asked,
    ...args: Parameters<TabCalls[Method]>
  ) => Promise<ReturnType<TabCalls[Method]>>
}

export interface ServedTab {
  /** Listens, within a transaction where one is given. */
  listen(channel: string, tx: Transaction | undefined): Promise<void>
  unlisten(channel: string): Promise<void>
  /** Called when everything is removed; the tab is still to be answered. */
  onSignedOut(): void
  /** Called when the connection was asked for something else. */
  onWished(isOffline: boolean, envelope: Partial<Envelope> | null): void
}

/** Postgres' own word for a write where only reading is allowed. */
const READ_ONLY_TRANSACTION = '25006'
const NOTHING = { fields: [], rows: [], affectedRows: null, command: null, rowCount: null, blob: null, notices: [] }

/** Makes the calls of one tab: each that may write is done once, whichever leader is asked for it how often. */
export function serveCalls(core: LocalCore, leases: Leases, tab: ServedTab): ServedCalls {
  const { db } = core
  // One that was asked before is looked up first, and what the tab asked after it is not to overtake it: so all calls are in one
  // order but those of a lease, which would wait for themselves.
  const order = new CallOrder()
  const begin = <Answer>(work: () => Promise<Answer>) => order.begin(null, work)
  const finish = <Answer>(work: () => Promise<Answer>) => order.finish(null, work)

  /** Answers the mutation that an earlier leader made for this call; null where it made none. */
  async function madeBefore({ by, isAgain }: Asked): Promise<MutationId | null> {
    const counter = isAgain ? await readMadeByCall(db, by.call) : null
    return counter === null ? null : core.writing.idOf(counter)
  }

  /** Makes a mutation, unless an earlier leader has made it for this call. */
  function makeOnce<Made extends MutationId | null>(asked: Asked, make: () => Promise<Made>) {
    return order.run<Made | MutationId>(null, async () => {
      const made = await madeBefore(asked)
      return { answer: made === null ? make() : Promise.resolve(made) }
    })
  }

  function reverseOnce(asked: Asked, origin: 'undo' | 'redo'): Promise<MutationId | null> {
    return finish(async () => {
      const made = await madeBefore(asked)
      if (made === null) return core[origin](asked.by)
      await core.writing.history.noteReversed(origin, made, asked.by.tab)
      return made
    })
  }

  /**
   * Runs statements once: `nothing` is their answer where an earlier leader made a mutation of them. Throws `outcome-unknown` where it may
   * have run them and nobody can say whether it did, and where the rows that it answered are lost.
   */
  function runOnce<Answer>(asked: Asked, text: string, nothing: Answer, run: (runner: Runner) => Promise<Answer>) {
    return order.run(null, async () => {
      const made = await madeBefore(asked)
      if (made !== null && answersRows(text))
        throw new TidemarkError(
          'outcome-unknown',
          `It was written as mutation ${made}; the rows that it answered are lost.`,
        )
      if (made !== null) return { answer: Promise.resolve(nothing) }
      if (asked.isAgain && judgeStatement(text).kind === 'read') return { answer: readAgain(run) }
      if (asked.isAgain && !writesSyncedOnly(text, core.syncedTables)) throw doubtFault()
      return { answer: run(db) }
    })
  }

  /** A function that a query calls may write all the same, which nothing but running it shows. */
  async function readAgain<Answer>(run: (runner: Runner) => Promise<Answer>): Promise<Answer> {
    try {
      return await db.transaction(async (tx) => {
        await tx.exec('SET TRANSACTION READ ONLY')
        return run(tx)
      })
    } catch (error) {
      if ((error as { readonly code?: unknown }).code === READ_ONLY_TRANSACTION) throw doubtFault(error)
      throw error
    }
  }

  return {
    async query(asked, text, params, details, lease) {
      if (lease !== null) return queryAsText(db, leases.use(lease), text, params, details)
      const marked = markWithCall(text, asked.by)
      return runOnce(asked, text, NOTHING, (runner) => queryAsText(db, runner, marked, params, details))
    },
    async exec(asked, text, details, lease) {
      if (lease !== null) return execAsText(db, leases.use(lease), text, details)
      const marked = markWithCall(text, asked.by)
      const nothing = splitStatements(text).map(() => NOTHING)
      return runOnce<readonly TextResult[]>(asked, text, nothing, (runner) => execAsText(db, runner, marked, details))
    },
    async describe(_, text, lease) {
      if (!lease) return begin(() => describeStatement(db, text))
      leases.use(lease)
      return describeInTransaction(db, text)
    },
    async beginLease({ by }, lease, isMutation) {
      await begin(async () => {
        if (!leases.has(lease)) await leases.begin(lease, by, isMutation)
      })
      return null
    },
    async endLease(asked, lease, how) {
      if (leases.has(lease) || !asked.isAgain || how === 'rollback') return leases.end(lease, how)
      const made = await madeBefore(asked)
      if (made !== null) return { mutation: made, isOpen: false }
      if (how === 'commit-unseen') throw doubtFault()
      return leases.end(lease, how)
    },
    async listen(_, channel, lease) {
      if (lease) await tab.listen(channel, leases.use(lease))
      else await finish(() => tab.listen(channel, undefined))
      return null
    },
    unlisten: (_, channel) => finish(() => answerNull(tab.unlisten(channel))),
    dumpDataDir: (_, compression) => begin(() => dumpInTurn(db, compression)),
    waitReady: () => begin(() => answerNull(core.waitReady())),
    runAction: (asked, name, args) => makeOnce(asked, () => core.runAction(name, args, asked.by)),
    waitConfirmed: (_, id) => begin(() => answerNull(core.waitConfirmed(id))),
    decideFailure: (asked, id, decision) =>
      finish(async () => (await madeBefore(asked)) ?? core.decideFailure(id, decision, asked.by)),
    readMutations: (_, limit) => begin(() => core.readMutations(limit)),
    readMutation: (_, id) => begin(() => core.readMutation(id)),
    undo: (asked) => reverseOnce(asked, 'undo'),
    redo: (asked) => reverseOnce(asked, 'redo'),
    readHistory: (_, table, key, options) => begin(() => core.readHistory(table, key, options)),
    readActivity: (_, options) => begin(() => core.readActivity(options)),
    readRowAt: (_, table, key, at) => begin(() => core.readRowAt(table, key, at)),
    planRestore: (_, table, key, at, options) => begin(() => core.planRestore(table, key, at, options)),
    planRollback: (_, id) => begin(() => core.planRollback(id)),
    carryOut: (asked, plan) => makeOnce(asked, () => core.carryOut(plan, asked.by)),
    settled: () => begin(() => answerNull(core.settled())),
    reached: (_, lsn) => begin(() => answerNull(core.reached(lsn))),
    inspect: () => begin(() => core.inspect()),
    goOffline: () =>
      finish(async () => {
        await core.goOffline()
        tab.onWished(true, null)
        return null
      }),
    goOnline: (_, envelope) =>
      finish(async () => {
        await core.goOnline(envelope ?? undefined)
        tab.onWished(false, envelope)
        return null
      }),
    async wake() {
      core.wake()
      return null
    },
    retryMigrations: () => begin(() => answerNull(core.retryMigrations())),
    reset: () => begin(() => answerNull(core.reset())),
    check: () => begin(() => core.check()),
    exportUnsent: (_, limit) => begin(() => core.exportUnsent(limit)),
    signOut: (_, dropUnsent) =>
      finish(async () => {
        await core.signOut(dropUnsent)
        tab.onSignedOut()
        return null
      }),
  }
}

const answerNull = (work: Promise<void>): Promise<null> => work.then(() => null)

const doubtFault = (cause?: unknown) =>
  new TidemarkError(
    'outcome-unknown',
    'The tab that ran it for all is gone before it could answer: it may have happened. Look before doing it again.',
    { cause },
  )
