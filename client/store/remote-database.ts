import type { QueryOptions, Results } from '@electric-sql/pglite'
import { PGliteWorker } from '@electric-sql/pglite/worker'
import { CallOrder } from './call-order.ts'
import type { Database } from './database.ts'
import { noticesOf } from './rules/error-notices.ts'
import { isSerializedAlike } from './rules/is-serialized-alike.ts'
import { INSTANT_PARSERS } from './rules/parse-instant.ts'
import { parseResult } from './rules/parse-result.ts'
import type { QueryDetails, TextDescription, TextResult } from './text-result.ts'

/** What PGlite's own classes share, in a module without its WebAssembly: parsers, serializers and `sql`. */
interface PGliteBase {
  readonly parsers: Database['parsers']
  readonly serializers: Database['serializers']
  refreshArrayTypes(): Promise<void>
  sql<Row>(strings: TemplateStringsArray, ...params: unknown[]): Promise<Results<Row>>
}
const Base = Object.getPrototypeOf(PGliteWorker) as new () => PGliteBase

type Listener = (payload: string) => void

/** A statement as it crosses: parameters that a structured clone would change are Postgres' text. */
interface SentStatement {
  readonly params: readonly unknown[]
  readonly details: QueryDetails
}

/** A database that another thread holds, as its users have it: values come as text and are parsed here. */
export abstract class RemoteDatabase extends Base {
  readonly debug = 0
  /** Made on the engine that runs live queries. */
  live: Database['live'] | null = null
  readonly waitReady: Promise<void> = Promise.resolve()
  /** What is called first is run first, though not awaited. */
  readonly order = new CallOrder()
  readonly #listeners = new Map<string, Set<Listener>>()
  readonly #onNotification = new Set<(channel: string, payload: string) => void>()
  #isClosed = false

  /** Answers the types of a statement's parameters and columns, in the transaction of that name. */
  protected abstract describe(text: string, transaction: string | null): Promise<TextDescription>

  get ready(): boolean {
    return !this.#isClosed
  }

  get closed(): boolean {
    return this.#isClosed
  }

  constructor() {
    super()
    Object.assign(this.parsers, INSTANT_PARSERS)
  }

  markClosed(): void {
    this.#isClosed = true
  }

  async describeQuery(text: string): ReturnType<Database['describeQuery']> {
    const { params, fields } = await this.order.begin(null, () => this.describe(text, null))
    const described = {
      queryParams: params.map((dataTypeID) => ({ dataTypeID, serializer: this.serializers[dataTypeID] })),
      resultFields: fields.map((field) => ({ ...field, parser: this.parsers[field.dataTypeID] })),
    }
    // A type of its own has neither, as with PGlite itself, whose type says otherwise.
    return described as Awaited<ReturnType<Database['describeQuery']>>
  }

  onNotification(callback: (channel: string, payload: string) => void): () => void {
    this.#onNotification.add(callback)
    return () => this.offNotification(callback)
  }

  offNotification(callback: (channel: string, payload: string) => void): void {
    this.#onNotification.delete(callback)
  }

  /** Passes on a notification of a channel that is listened to here. */
  receiveNotification(channel: string, payload: string): void {
    for (const callback of [...(this.#listeners.get(channel) ?? [])]) queueMicrotask(() => callback(payload))
    for (const callback of [...this.#onNotification]) queueMicrotask(() => callback(channel, payload))
  }

  protected get channels(): readonly string[] {
    return [...this.#listeners.keys()]
  }

  protected listenersOf(channel: string): readonly Listener[] {
    return [...(this.#listeners.get(channel) ?? [])]
  }

  /** Answers whether it is the first of its channel. */
  protected addListener(channel: string, callback: Listener): boolean {
    const known = this.#listeners.get(channel)
    this.#listeners.set(channel, (known ?? new Set()).add(callback))
    return known === undefined
  }

  /** Takes a listener away, or all; answers whether none is left of a channel that had some. */
  protected removeListener(channel: string, callback: Listener | undefined): boolean {
    const known = this.#listeners.get(channel)
    if (callback) known?.delete(callback)
    if (!known || (callback && known.size > 0)) return false
    return this.#listeners.delete(channel)
  }

  /** Makes values that only this thread can serialize into text, for which it asks what types they have. */
  protected async prepare(
    text: string,
    params: readonly unknown[],
    options: QueryOptions | undefined,
    transaction: string | null,
  ): Promise<SentStatement> {
    const details = detailsOf(options)
    if (!options?.serializers && params.every((value) => isSerializedAlike(value))) return { params, details }
    const { params: asText } = await this.describe(text, transaction)
    const values = params.map((value, index) => {
      if (value === null || value === undefined) return null
      const type = asText[index] ?? 0
      const serialize = options?.serializers?.[type] ?? this.serializers[type]
      return serialize ? serialize(value) : String(value)
    })
    return { params: values, details: { ...details, asText } }
  }

  /** Answers a call's result with its values parsed; notices come before it, or before the error that it is. */
  protected async parse<Row>(answer: Promise<TextResult>, options: QueryOptions | undefined): Promise<Results<Row>> {
    return (
      await this.parseAll<Row>(
        answer.then((result) => [result]),
        options,
      )
    )[0] as Results<Row>
  }

  protected async parseAll<Row>(
    answer: Promise<readonly TextResult[]>,
    options: QueryOptions | undefined,
  ): Promise<Results<Row>[]> {
    const passOn = (notices: readonly object[]) => {
      for (const notice of notices) options?.onNotice?.(notice as never)
    }
    const results = await answer.catch((error) => {
      passOn(noticesOf(error))
      throw error
    })
    passOn(results.flatMap(({ notices }) => notices))
    const parsers = { ...this.parsers, ...options?.parsers }
    return results.map((result) => parseResult<Row>(result, parsers, options?.rowMode ?? 'object'))
  }
}

export const detailsOf = (options: QueryOptions | undefined): QueryDetails => ({
  ...(options?.paramTypes ? { paramTypes: options.paramTypes } : {}),
  ...(options?.blob ? { blob: options.blob } : {}),
  wantsNotices: options?.onNotice !== undefined,
})
