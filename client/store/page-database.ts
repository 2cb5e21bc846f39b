import type { QueryOptions, Results, Transaction } from '@electric-sql/pglite'
import type { DatabaseLink } from './database-link.ts'
import { detailsOf, RemoteDatabase } from './remote-database.ts'
import { channelName } from './rules/channel-name.ts'
import { type RemoteTransaction, runInTransaction } from './run-transaction.ts'
import type { TextDescription } from './text-result.ts'

/**
 * The database of a page that runs the engine itself: PGlite in a worker that only this page has.
 *
 * PGlite's own proxy sends fifteen messages for each statement, one of the protocol after another; here it is one.
 */
export class PageDatabase extends RemoteDatabase {
  readonly #link: DatabaseLink
  readonly #end: () => void
  #transactions = 0

  constructor(link: DatabaseLink, end: () => void) {
    super()
    this.#link = link
    this.#end = end
  }

  query<Row>(text: string, params: unknown[] = [], options?: QueryOptions): Promise<Results<Row>> {
    return this.runQuery(text, params, options, null)
  }

  exec(text: string, options?: QueryOptions): Promise<Results[]> {
    return this.runExec(text, options, null)
  }

  async transaction<Result>(work: (tx: Transaction) => Promise<Result>): Promise<Result> {
    const id = String(++this.#transactions)
    await this.order.begin(null, () => this.#link.call('begin', [id]))
    const transaction = new PageTransaction(this, this.#link, id)
    const listen: Transaction['listen'] = (channel, callback) => this.listen(channel, callback, transaction)
    return (await runInTransaction(transaction, listen, work)).result
  }

  /** Runs one statement, in a transaction or by itself. */
  async runQuery<Row>(
    text: string,
    params: readonly unknown[],
    options: QueryOptions | undefined,
    transaction: string | null,
  ): Promise<Results<Row>> {
    try {
      const answer = this.order.run(transaction, async () => {
        const { params: sent, details } = await this.prepare(text, params, options, transaction)
        return { answer: this.#link.call('query', [text, sent, details, transaction]) }
      })
      return await this.parse<Row>(answer, options)
    } catch (error) {
      throw withStatement(error, text, params)
    }
  }

  async runExec(text: string, options: QueryOptions | undefined, transaction: string | null): Promise<Results[]> {
    try {
      const answer = this.order.begin(transaction, () =>
        this.#link.call('exec', [text, detailsOf(options), transaction]),
      )
      return await this.parseAll(answer, options)
    } catch (error) {
      throw withStatement(error, text, undefined)
    }
  }

  async listen(
    channel: string,
    callback: (payload: string) => void,
    tx: Pick<Transaction, 'exec'> = this,
  ): Promise<(tx?: Transaction) => Promise<void>> {
    // A notice that comes with the answer already has somebody to go to.
    this.addListener(channelName(channel), callback)
    try {
      await tx.exec(`LISTEN ${channel}`)
    } catch (error) {
      this.removeListener(channelName(channel), callback)
      throw error
    }
    return (within) => this.unlisten(channel, callback, within)
  }

  async unlisten(
    channel: string,
    callback?: (payload: string) => void,
    tx: Pick<Transaction, 'exec'> = this,
  ): Promise<void> {
    if (this.removeListener(channelName(channel), callback)) await tx.exec(`UNLISTEN ${channel}`)
  }

  /** Also where values are written, which is beside PGlite. */
  override async refreshArrayTypes(): Promise<void> {
    await this.#link.call('refreshArrayTypes', [])
    await this.readArrayTypes()
  }

  /** Takes up the types of arrays that the database has. */
  readArrayTypes(): Promise<void> {
    return super.refreshArrayTypes()
  }

  async runExclusive<Result>(work: () => Promise<Result>): Promise<Result> {
    await this.order.begin(null, () => this.#link.call('hold', []))
    try {
      return await work()
    } finally {
      await this.#link.call('letGo', [])
    }
  }

  execProtocol(message: Uint8Array): Promise<object> {
    return this.#link.call('execProtocol', [message])
  }

  execProtocolRaw(message: Uint8Array): Promise<Uint8Array> {
    return this.#link.call('execProtocolRaw', [message])
  }

  execProtocolStream(message: Uint8Array): Promise<readonly object[]> {
    return this.#link.call('execProtocolStream', [message])
  }

  dumpDataDir(compression?: 'none' | 'gzip' | 'auto'): Promise<Blob> {
    return this.order.begin(null, () => this.#link.call('dumpDataDir', [compression]))
  }

  async syncToFs(): Promise<void> {
    await this.order.begin(null, () => this.#link.call('syncToFs', []))
  }

  async close(): Promise<void> {
    if (this.closed) return
    this.markClosed()
    this.#link.close(closedError())
    this.#end()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  protected describe(text: string, transaction: string | null): Promise<TextDescription> {
    return this.#link.call('describe', [text, transaction])
  }
}

class PageTransaction implements RemoteTransaction<null> {
  isClosed = false
  readonly #db: PageDatabase
  readonly #link: DatabaseLink
  readonly #id: string

  constructor(db: PageDatabase, link: DatabaseLink, id: string) {
    this.#db = db
    this.#link = link
    this.#id = id
  }

  async query<Row>(text: string, params: unknown[] = [], options?: QueryOptions): Promise<Results<Row>> {
    this.#check()
    return this.#db.runQuery(text, params, options, this.#id)
  }

  async exec(text: string, options?: QueryOptions): Promise<Results[]> {
    this.#check()
    return this.#db.runExec(text, options, this.#id)
  }

  async end(isCommit: boolean): Promise<null> {
    this.#check()
    this.isClosed = true
    return this.#db.order.begin(this.#id, () => this.#link.call('end', [this.#id, isCommit]))
  }

  #check(): void {
    if (this.isClosed) throw new Error('Transaction is closed')
  }
}

/** PGlite's own word for it. */
const closedError = () => new Error('PGlite is closed')

/** Gives an error of Postgres the statement that it is of, as PGlite does. */
function withStatement(error: unknown, query: string, params: readonly unknown[] | undefined): unknown {
  return error instanceof Error && 'severity' in error ? Object.assign(error, { query, params }) : error
}
