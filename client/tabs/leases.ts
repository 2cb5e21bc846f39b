import type { Transaction } from '@electric-sql/pglite'
import { type MutationId, TidemarkError } from '../../protocol/index.ts'
import type { LocalCore } from '../local-core.ts'
import type { CallOrigin } from '../store/call-origin.ts'
import { setCallOfCurrent } from '../store/rows/mutation-rows.ts'
import { hasWrittenUnseen, readCurrentMutation } from '../store/rows/settings.ts'
import type { LeaseEnd, LeaseEnding } from './tab-messages.ts'

/** A lease that is asked for nothing for so long is rolled back: all other work waits for it. */
const IDLE_MS = 30_000

interface Lease {
  readonly tab: string
  readonly tx: Transaction
  readonly end: (isCommit: boolean) => void
  /** Resolves with the mutation that it was, once it is committed or rolled back. */
  readonly ended: Promise<MutationId | null>
  timer: ReturnType<typeof setTimeout>
}

/** Thrown in a transaction that is to be rolled back; nobody sees it. */
class RolledBack extends Error {}

/** The transactions that tabs hold open: nobody else's statement runs inside, and each ends in bounded time. */
export class Leases {
  readonly #core: LocalCore
  readonly #open = new Map<string, Lease>()

  constructor(core: LocalCore) {
    this.#core = core
  }

  /** Resolves once the transaction is open. Rejects as the core does where none can be. */
  begin(id: string, by: CallOrigin, isMutation: boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const { promise: decided, resolve: end } = Promise.withResolvers<boolean>()
      const work = async (tx: Transaction) => {
        const timer = setTimeout(() => end(false), IDLE_MS)
        this.#open.set(id, { tab: by.tab, tx, end, ended, timer })
        resolve()
        if (await decided) return
        throw new RolledBack()
      }
      const origin = { tab: by.tab, call: id }
      const ended = (isMutation ? this.#runMutation(work, origin) : this.#runPlain(work, origin)).finally(() => {
        clearTimeout(this.#open.get(id)?.timer)
        this.#open.delete(id)
      })
      ended.catch(reject)
    })
  }

  /** Answers the transaction of a lease. Throws `lease-ended` where it is over. */
  use(id: string): Transaction {
    const lease = this.#open.get(id)
    if (!lease) throw endedFault()
    clearTimeout(lease.timer)
    lease.timer = setTimeout(() => lease.end(false), IDLE_MS)
    return lease.tx
  }

  has(id: string): boolean {
    return this.#open.has(id)
  }

  /**
   * Commits or rolls back. What would show in no mutation is committed only once the tab knows that, because the next leader could not
   * tell whether it was. Throws what the commit throws, and `lease-ended` where there is nothing to commit any more.
   */
  async end(id: string, how: LeaseEnd): Promise<LeaseEnding> {
    const lease = this.#open.get(id)
    if (how === 'rollback') return this.#rollBack(lease)
    if (!lease) throw endedFault()
    try {
      if (how === 'commit' && (await hasWrittenUnseen(lease.tx))) return { mutation: null, isOpen: true }
      lease.end(true)
      return { mutation: await lease.ended, isOpen: false }
    } catch (error) {
      lease.end(false)
      throw error instanceof RolledBack ? endedFault() : error
    }
  }

  async #rollBack(lease: Lease | undefined): Promise<LeaseEnding> {
    lease?.end(false)
    await lease?.ended.catch(() => undefined)
    return { mutation: null, isOpen: false }
  }

  /** Rolls back what a tab that is gone left open. */
  endTab(tab: string): void {
    for (const lease of this.#open.values()) if (lease.tab === tab) lease.end(false)
  }

  endAll(): void {
    for (const { end } of this.#open.values()) end(false)
  }

  async #runMutation(work: (tx: Transaction) => Promise<void>, by: CallOrigin): Promise<MutationId | null> {
    return (await this.#core.runTransaction(work, by)).id
  }

  async #runPlain(work: (tx: Transaction) => Promise<void>, by: CallOrigin): Promise<null> {
    await this.#core.db.transaction(async (tx) => {
      await work(tx)
      if ((await readCurrentMutation(tx)) !== null) await setCallOfCurrent(tx, by)
    })
    return null
  }
}

const endedFault = () =>
  new TidemarkError('lease-ended', 'This transaction is over, and nothing of it was kept: run it again.')
