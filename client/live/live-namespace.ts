import type { Change, LiveChanges, LiveNamespace, LiveQuery, LiveQueryResults } from '@electric-sql/pglite/live'
import { TidemarkError } from '../../protocol/index.ts'
import type { LiveStores } from './live-stores.ts'
import type { QueryStore } from './query-store.ts'
import { changesByKey, type MadeResult } from './rules/changes-by-key.ts'
import { countedQuery, moveWindow, type Window, windowedQuery, windowOf } from './rules/window-query.ts'
import { StoreGroup } from './store-group.ts'

type Row = Record<string, unknown>
type Results = LiveQueryResults<Row>
type Changes = Change<Row>[]

interface Options<Value> {
  readonly query: string
  readonly params?: readonly unknown[] | null
  readonly key?: string
  readonly offset?: number
  readonly limit?: number
  readonly callback?: (value: Value) => void
  readonly signal?: AbortSignal
}

/** Answers the namespace `live` as PGlite's own extension has it, on the stores of the replica. Rule LIV-R9. */
export function makeNamespace(stores: LiveStores): LiveNamespace {
  const keyedArguments = <Value>(args: readonly unknown[]): Options<Value> & { readonly key: string } => {
    const [query, params, key, callback] = args
    const options =
      typeof query === 'string' ? ({ query, params, key, callback } as Options<Value>) : (query as Options<Value>)
    const { key: name } = options
    if (!name) throw new TidemarkError('bad-input', 'Give the key: the name of a column whose values tell rows apart.')
    return { ...options, key: name }
  }
  const made = {
    query: async (...args: readonly unknown[]) => {
      const [query, params, callback] = args
      return openQuery(
        stores,
        typeof query === 'string' ? ({ query, params, callback } as Options<Results>) : (query as Options<Results>),
      )
    },
    incrementalQuery: async (...args: readonly unknown[]) => openQuery(stores, keyedArguments<Results>(args)),
    changes: async (...args: readonly unknown[]) => openChanges(stores, keyedArguments<Changes>(args)),
  }
  return made as unknown as LiveNamespace
}

async function openQuery(stores: LiveStores, options: Options<Results>): Promise<LiveQuery<Row>> {
  const callbacks = new Callbacks(options.callback)
  let window = windowOf(options)
  const group = new StoreGroup(() => callbacks.call(results()))
  const show = (shown: Window | null) => {
    const query = { sql: options.query, params: options.params ?? [] }
    const queries = shown === null ? [query] : [windowedQuery(query, shown), countedQuery(query)]
    return group.show(queries.map((one) => stores.storeOf(one)))
  }
  const results = (): Results => {
    const [rows, counted] = group.stores.map(madeResult)
    const totalCount = counted?.rows[0]?.count
    return {
      rows: [...(rows?.rows ?? [])],
      fields: [...(rows?.raw.fields ?? [])],
      ...(window === null ? {} : { ...window, totalCount: Number(totalCount ?? 0) }),
    }
  }
  await show(window)
  const initialResults = results()
  callbacks.call(initialResults)
  const unsubscribe = endingBy(options.signal, group, callbacks)
  return {
    initialResults,
    subscribe: (callback) => {
      group.check()
      callbacks.add(callback)
    },
    unsubscribe,
    refresh: async (moved = {}) => {
      const next = moveWindow(window, moved)
      group.check()
      if (next === window) await group.refresh()
      else {
        window = next
        await show(next)
      }
      group.check()
      callbacks.call(results())
    },
  }
}

async function openChanges(
  stores: LiveStores,
  { query, params, key, callback, signal }: Options<Changes> & { readonly key: string },
): Promise<LiveChanges<Row>> {
  const callbacks = new Callbacks(callback)
  const store = stores.storeOf({ sql: query, params: params ?? [] })
  let shown: MadeResult | null = null
  const advance = (): Changes => {
    const now = madeResult(store)
    const changes = changesByKey(shown, now, key) as unknown as Changes
    shown = now
    return changes
  }
  const group = new StoreGroup(() => {
    const changes = store.getSnapshot().error === null ? advance() : []
    if (changes.length > 0) callbacks.call(changes)
  })
  await group.show([store])
  const initialChanges = advance()
  callbacks.call(initialChanges)
  return {
    fields: [...store.raw.fields],
    initialChanges,
    subscribe: (added) => {
      group.check()
      callbacks.add(added)
    },
    unsubscribe: endingBy(signal, group, callbacks),
    refresh: async () => {
      group.check()
      await group.refresh()
      group.check()
    },
  }
}

const madeResult = (store: QueryStore): MadeResult => ({
  raw: store.raw,
  rows: (store.getSnapshot().rows ?? []) as readonly Row[],
})

/** Answers the function that takes a callback away, or all; without any the query ends. */
function endingBy<Value>(
  signal: AbortSignal | undefined,
  group: StoreGroup,
  callbacks: Callbacks<Value>,
): (callback?: (value: Value) => void) => Promise<void> {
  const unsubscribe = async (callback?: (value: Value) => void) => {
    if (callbacks.remove(callback)) group.close()
  }
  signal?.addEventListener('abort', () => void unsubscribe(), { once: true })
  if (signal?.aborted) void unsubscribe()
  return unsubscribe
}

class Callbacks<Value> {
  #all: readonly ((value: Value) => void)[]

  constructor(first: ((value: Value) => void) | undefined) {
    this.#all = first ? [first] : []
  }

  add(callback: (value: Value) => void): void {
    this.#all = [...this.#all, callback]
  }

  /** Answers whether none is left. */
  remove(callback: ((value: Value) => void) | undefined): boolean {
    this.#all = callback ? this.#all.filter((one) => one !== callback) : []
    return this.#all.length === 0
  }

  call(value: Value): void {
    for (const callback of this.#all) callback(value)
  }
}
