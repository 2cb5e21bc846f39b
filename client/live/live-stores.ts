import { type Parsers, parseObject } from '../store/rules/parse-rows.ts'
import { drizzleMapping, type MapRows } from './drizzle-mapping.ts'
import type { LiveClient } from './live-client.ts'
import type { QueryText } from './live-messages.ts'
import type { DrizzleQuery, LiveQuery } from './live-rows.ts'
import { QueryStore } from './query-store.ts'
import { queryKey } from './rules/query-key.ts'

/** The stores of a page, each for all who ask the same; one that nobody holds goes. */
export class LiveStores {
  readonly #client: LiveClient
  readonly #parsers: () => Parsers
  readonly #stores = new Map<string, WeakRef<QueryStore>>()
  readonly #gone = new FinalizationRegistry<string>((key) => {
    if (this.#stores.get(key)?.deref() === undefined) this.#stores.delete(key)
  })

  constructor(client: LiveClient, parsers: () => Parsers) {
    this.#client = client
    this.#parsers = parsers
  }

  /** Throws `bad-input` for what is no query of this replica. */
  storeOf(query: LiveQuery): QueryStore {
    if (typeof query === 'string') return this.#storeOf({ text: query, params: [] }, '', this.#mapObjects)
    if (!('toSQL' in query)) {
      const { sql, params = [] } = query
      return this.#storeOf({ text: sql, params }, '', this.#mapObjects)
    }
    const drizzle: DrizzleQuery<unknown> = query
    const { sql, params } = drizzle.toSQL()
    const { map, shape } = drizzleMapping(drizzle, this.#parsers())
    return this.#storeOf({ text: sql, params }, shape, map)
  }

  /** Empties what all of them show. */
  emptyAll(): void {
    for (const store of this.#stores.values()) store.deref()?.empty()
  }

  readonly #mapObjects: MapRows = (rows, fields) => rows.map((row) => parseObject(row, fields, this.#parsers()))

  #storeOf(query: QueryText, shape: string, map: MapRows): QueryStore {
    const key = queryKey(query.text, query.params, shape)
    const known = this.#stores.get(key)?.deref()
    if (known) return known
    const store = new QueryStore(query, map, this.#client)
    this.#stores.set(key, new WeakRef(store))
    this.#gone.register(store, key)
    return store
  }
}
