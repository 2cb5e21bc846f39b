import type { QueryOptions, Results, Transaction } from '@electric-sql/pglite'
import { nanoid } from 'nanoid'
import { type MutationId, TidemarkError } from '../../protocol/index.ts'
import type { CallOrder } from '../store/call-order.ts'
import { type RemoteTransaction, runInTransaction } from '../store/run-transaction.ts'
import { judgeWithin } from './rules/judge-statement.ts'
import type { TabLink } from './tab-link.ts'
import type { LeaseEnd } from './tab-messages.ts'

/** A transaction that a change of leader broke off is run again so often. */
const RUNS = 3

/** The tab's database, as far as its transactions use it. */
export interface LeaseRunner {
  runQuery<Row>(
    text: string,
    params: readonly unknown[],
    options: QueryOptions | undefined,
    lease: string,
  ): Promise<Results<Row>>
  runExec(text: string, options: QueryOptions | undefined, lease: string): Promise<Results[]>
  listen(channel: string, callback: (payload: string) => void, transaction: string): Promise<() => Promise<void>>
  readonly order: CallOrder
}

/** A transaction of this tab, which the leader runs. */
export class TabLease implements RemoteTransaction<MutationId | null> {
  readonly id: string
  readonly #db: LeaseRunner
  readonly #link: TabLink
  readonly #isMutation: boolean
  #isClosed = false

  constructor(db: LeaseRunner, link: TabLink, id: string, isMutation: boolean) {
    this.#db = db
    this.#link = link
    this.id = id
    this.#isMutation = isMutation
  }

  get isClosed(): boolean {
    return this.#isClosed
  }

  async begin(): Promise<void> {
    await this.#link.call('beginLease', [this.id, this.#isMutation])
  }

  /** Commits or rolls back, and answers the mutation that it was. Throws `lease-ended` where it is over already. */
  async end(isCommit: boolean): Promise<MutationId | null> {
    this.#isClosed = true
    const end = (how: LeaseEnd) =>
      this.#db.order.begin(this.id, () => this.#link.call('endLease', [this.id, how], this.id))
    const ending = await end(isCommit ? 'commit' : 'rollback')
    return ending.isOpen ? (await end('commit-unseen')).mutation : ending.mutation
  }

  async query<Row>(text: string, params: unknown[] = [], options?: QueryOptions): Promise<Results<Row>> {
    this.#check(text)
    return this.#db.runQuery<Row>(text, params, options, this.id)
  }

  async exec(text: string, options?: QueryOptions): Promise<Results[]> {
    this.#check(text)
    return this.#db.runExec(text, options, this.id)
  }

  #check(text: string): void {
    if (this.#isClosed) throw new TidemarkError('lease-ended', 'This transaction is over: begin another one.')
    const judged = judgeWithin(text)
    if (judged.kind === 'refused') throw new TidemarkError('bad-input', judged.why)
  }
}

/**
 * Runs `work` as a transaction that the leader holds open for this tab; where the leader changes before it was committed,
 * it is run again. Rejects with what `work` throws, and with `outcome-unknown` where nobody can say whether it was committed.
 */
export async function runLease<Result>(
  db: LeaseRunner,
  link: TabLink,
  isMutation: boolean,
  work: (tx: Transaction) => Promise<Result>,
): Promise<{ readonly id: MutationId | null; readonly result: Result }> {
  for (let run = 1; ; run++) {
    const lease = new TabLease(db, link, nanoid(), isMutation)
    await db.order.begin(null, () => lease.begin())
    const { leader } = link
    try {
      const listen: Transaction['listen'] = (channel, callback) => db.listen(channel, callback, lease.id)
      const { result, ending } = await runInTransaction(lease, listen, work)
      return { id: ending, result }
    } catch (error) {
      const isLost = error instanceof TidemarkError && error.kind === 'lease-ended' && link.leader !== leader
      if (!isLost || run === RUNS) throw error
    }
  }
}
