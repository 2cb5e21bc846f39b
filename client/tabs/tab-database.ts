import type { QueryOptions, Results, Transaction } from '@electric-sql/pglite'
import { nanoid } from 'nanoid'
import { TidemarkError } from '../../protocol/index.ts'
import { detailsOf, RemoteDatabase } from '../store/remote-database.ts'
import type { TextDescription, TextResult } from '../store/text-result.ts'
import { judgeStatement, judgeWithin, transactionOptions } from './rules/judge-statement.ts'
import { runLease, TabLease } from './tab-lease.ts'
import type { TabLink } from './tab-link.ts'

type Listener = (payload: string) => void

/**
 * The database that the leader holds, as another tab has it: values are parsed here, errors keep their SQLSTATE, and
 * every transaction is a lease. What would change the session for other tabs is refused as `bad-input`.
 */
export class TabDatabase extends RemoteDatabase {
  readonly #link: TabLink
  readonly #close: () => Promise<void>
  /** The transaction that this tab began by a statement of its own. */
  #open: TabLease | null = null

  constructor(link: TabLink, close: () => Promise<void>) {
    super()
    this.#link = link
    this.#close = close
  }

  query<Row>(text: string, params: unknown[] = [], options?: QueryOptions): Promise<Results<Row>> {
    return this.order.run(null, async () => {
      const control = await this.#control(text)
      if (control) return { answer: control.answer as Promise<Results<Row>> }
      if (this.#open) return { answer: this.#open.query<Row>(text, params, options) }
      return { answer: this.parse<Row>((await this.#sendQuery(text, params, options, null)).answer, options) }
    })
  }

  exec(text: string, options?: QueryOptions): Promise<Results[]> {
    return this.order.run(null, async () => {
      const control = await this.#control(text)
      if (control) return { answer: control.answer.then((result) => [result]) }
      if (this.#open) return { answer: this.#open.exec(text, options) }
      return { answer: this.parseAll(this.#link.call('exec', [text, detailsOf(options), null]), options) }
    })
  }

  async transaction<Result>(work: (tx: Transaction) => Promise<Result>): Promise<Result> {
    return (await runLease(this, this.#link, false, work)).result
  }

  /** Runs one statement in a lease; values come back as text and are parsed here. */
  runQuery<Row>(
    text: string,
    params: readonly unknown[],
    options: QueryOptions | undefined,
    lease: string,
  ): Promise<Results<Row>> {
    const answer = this.order.run(lease, () => this.#sendQuery(text, params, options, lease))
    return this.parse<Row>(answer, options)
  }

  runExec(text: string, options: QueryOptions | undefined, lease: string): Promise<Results[]> {
    const send = () => this.#link.call('exec', [text, detailsOf(options), lease])
    return this.parseAll(this.order.begin(lease, send), options)
  }

  async #sendQuery(
    text: string,
    params: readonly unknown[],
    options: QueryOptions | undefined,
    lease: string | null,
  ): Promise<{ readonly answer: Promise<TextResult> }> {
    const { params: sent, details } = await this.prepare(text, params, options, lease)
    return { answer: this.#link.call('query', [text, sent, details, lease]) }
  }

  /** Listens from here on, in the transaction of that name where there is one. */
  async listen(channel: string, callback: Listener, transaction: string | null = null): Promise<() => Promise<void>> {
    try {
      await this.order.begin(transaction, () => {
        // Called only now, it hears nothing of what was called before.
        this.addListener(channel, callback)
        return this.#link.call('listen', [channel, transaction ?? this.#open?.id ?? null])
      })
    } catch (error) {
      this.removeListener(channel, callback)
      throw error
    }
    return () => this.unlisten(channel, callback)
  }

  async unlisten(channel: string, callback?: Listener): Promise<void> {
    await this.order.begin(null, async () => {
      const ending = callback ? [callback] : this.listenersOf(channel)
      const stop = () => this.#link.call('unlisten', [channel])
      const areAll = this.listenersOf(channel).every((one) => ending.includes(one))
      // What was called before is heard before the answer comes.
      if (areAll) await stop()
      for (const one of ending) this.removeListener(channel, one)
      if (!areAll && this.listenersOf(channel).length === 0) await stop()
    })
  }

  /** Asks a new leader for the channels that the one before listened to. */
  listenAgain(): void {
    for (const channel of this.channels) void this.#link.call('listen', [channel, null]).catch(() => undefined)
  }

  dumpDataDir(compression?: 'none' | 'gzip' | 'auto'): Promise<Blob> {
    return this.order.begin(null, () => this.#link.call('dumpDataDir', [compression]))
  }

  async close(): Promise<void> {
    this.markClosed()
    await this.#close()
  }

  runExclusive(): Promise<never> {
    return Promise.reject(oneTabAlone('runExclusive'))
  }

  execProtocol(): Promise<never> {
    return Promise.reject(oneTabAlone('execProtocol'))
  }

  execProtocolRaw(): Promise<never> {
    return Promise.reject(oneTabAlone('execProtocolRaw'))
  }

  /** Begins or ends the tab's own transaction where the text is that alone. Throws `bad-input` for what is refused. */
  async #control(text: string): Promise<{ readonly answer: Promise<Results> } | null> {
    const judged = this.#open ? judgeOpen(text) : judgeStatement(text)
    if (judged.kind === 'refused') throw new TidemarkError('bad-input', judged.why)
    if (judged.kind === 'begin') {
      if (this.#open) return { answer: controlResult('BEGIN') }
      const lease = new TabLease(this, this.#link, nanoid(), false)
      await lease.begin()
      const options = transactionOptions(text)
      if (options !== '') await lease.exec(`SET TRANSACTION ${options}`)
      this.#open = lease
      return { answer: controlResult('BEGIN') }
    }
    if (judged.kind !== 'commit' && judged.kind !== 'rollback') return null
    const lease = this.#open
    this.#open = null
    const ended = lease?.end(judged.kind === 'commit') ?? Promise.resolve(null)
    return { answer: ended.then(() => controlResult(judged.kind.toUpperCase())) }
  }

  protected describe(text: string, lease: string | null): Promise<TextDescription> {
    return this.#link.call('describe', [text, lease])
  }
}

function judgeOpen(text: string) {
  const judged = judgeStatement(text)
  return judged.kind === 'commit' || judged.kind === 'rollback' || judged.kind === 'begin' ? judged : judgeWithin(text)
}

const controlResult = async (command: string): Promise<Results> => ({
  rows: [],
  fields: [],
  affectedRows: 0,
  command,
  rowCount: 0,
})

const oneTabAlone = (what: string) =>
  new TidemarkError('bad-input', `${what}() is for a database of one tab alone: use query, exec or transaction.`)
