import type { Transaction as PGliteTransaction } from '@electric-sql/pglite'
import type { Actions } from '../../db/define-sync.ts'
import { type Lsn, type Outcome, type OutcomesAnswer, type Rejection, TidemarkError } from '../../protocol/index.ts'
import type { Copy, Executor } from '../replica/books.ts'
import type { Database } from '../replica/database.ts'
import type { ReplicaTables } from '../replica/replica-table.ts'
import type { MutationId } from './mutation.ts'

/** Asks the server what became of these mutations. Rejects with TidemarkError. */
export type OutcomeSource = (counters: readonly number[], signal: AbortSignal) => Promise<OutcomesAnswer>

export interface OutboxOptions {
  readonly db: Database
  readonly clientId: string
  readonly user: string
  readonly actions: Actions
  /** Runs an action twice where it is called, and warns where the two differ. */
  readonly development: boolean
  /** The copy that the app sees; null where there is none. */
  readonly shown: () => Copy | null
}

/** What was learnt of a mutation apart from the stream. */
export interface KnownOutcome {
  readonly outcome: Outcome
  /** Of its commit; null where the stream is still to bring it. */
  readonly lsn: Lsn | null
}

/** What the app wrote here and the server has not told back yet: written, undone, redone and settled here. */
export class Outbox {
  readonly #options: OutboxOptions
  readonly #listeners = new Set<() => void>()

  constructor(options: OutboxOptions) {
    this.#options = options
  }

  /** Hears of new mutations from now on. */
  async start(): Promise<void> {
    await this.#options.db.listen('tidemark_outbox', () => this.#tell())
  }

  /** Calls back when there are new mutations, or some changed their status; answers the function that ends it. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => {
      this.#listeners.delete(listener)
    }
  }

  /** Runs an action here; it is locally durable when this resolves. Rejects with what the action throws, or TidemarkError. */
  run(_name: string, _args: unknown): Promise<MutationId> {
    throw unfinished()
  }

  /** Runs `work` as one mutation; `id` is null where it wrote nothing that is synced. Rejects with what it throws. */
  transaction<Result>(
    _work: (tx: PGliteTransaction) => Promise<Result>,
  ): Promise<{ readonly id: MutationId | null; readonly result: Result }> {
    throw unfinished()
  }

  /** Settles a mutation as failed, undone with what builds on it; of one that is settled it does nothing. */
  reject(_counter: number, _rejection: Rejection): Promise<void> {
    throw unfinished()
  }

  /** Forgets a failed mutation; one that was never attempted is undone first. Throws `bad-input` of any other. */
  discard(_counter: number): Promise<void> {
    throw unfinished()
  }

  /** Gives patches that have none their rows with basis, from what was captured. Doing it twice does nothing. */
  sealNew(_tx: Executor, _tables: ReplicaTables): Promise<void> {
    throw unfinished()
  }

  /** Notes outcomes that were asked for while a copy was loaded: its join settles what it holds. */
  settleAtJoin(_known: readonly KnownOutcome[]): Promise<void> {
    throw unfinished()
  }

  /** Whether a mutation was sent whose outcome the stream has not told. */
  unsettledSent(): Promise<boolean> {
    throw unfinished()
  }

  #tell(): void {
    for (const listener of [...this.#listeners]) listener()
  }
}

const unfinished = () => new TidemarkError('internal', 'Not built yet.')
