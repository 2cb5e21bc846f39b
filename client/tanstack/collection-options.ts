import type { CollectionConfig } from '@tanstack/db'
import type { PgTable } from 'drizzle-orm/pg-core'
import type { Sync } from '../../db/define-sync.ts'
import type { DrizzleQuery, LiveStore, RowOf, SqlQuery } from '../live/live-rows.ts'
import type { Replica } from '../replica-api.ts'
import { syncedWrites } from './rules/synced-rows.ts'
import { type CollectionChange, drizzleOn, writeChanges } from './write-table.ts'

interface Common<Row extends object, Key extends string | number> {
  readonly replica: Replica<Sync>
  readonly getKey: (row: Row) => Key
  readonly id?: string
}

type Options<Row extends object, Key extends string | number> = CollectionConfig<Row, Key>

/**
 * Answers the options of a TanStack DB collection over a drizzle table of the sync definition, or over a query.
 *
 * What is written to a collection over a table goes to the replica's outbox in one mutation; a handler resolves when it
 * is durable there and the collection has the rows that it left. One over a query is read; give it handlers of your own.
 */
export function tidemarkCollectionOptions<Table extends PgTable, Key extends string | number>(
  options: Common<Table['$inferSelect'], Key> & { readonly table: Table },
): Options<Table['$inferSelect'], Key>
export function tidemarkCollectionOptions<Result, Key extends string | number>(
  options: Common<RowOf<Result> & object, Key> & { readonly query: DrizzleQuery<Result> },
): Options<RowOf<Result> & object, Key>
export function tidemarkCollectionOptions<Row extends object, Key extends string | number>(
  options: Common<Row, Key> & { readonly query: string | SqlQuery },
): Options<Row, Key>
export function tidemarkCollectionOptions<Row extends object, Key extends string | number>({
  replica,
  getKey,
  id,
  ...source
}: Common<Row, Key> & {
  readonly table?: PgTable
  readonly query?: string | SqlQuery | DrizzleQuery<unknown>
}): Options<Row, Key> {
  const { table, query } = source
  let store: LiveStore<Row> | null = null
  const open = async (): Promise<LiveStore<Row>> => {
    const asked = table ? (await drizzleOn(replica.db)).select().from(table) : query
    return replica.live(asked as string) as LiveStore<Row>
  }
  const sync: Options<Row, Key>['sync'] = {
    rowUpdateMode: 'full',
    sync: ({ begin, write, commit, markReady, markError }) => {
      const held = new Map<Key, Row>()
      let stop: (() => void) | null = null
      let isEnded = false
      const show = () => {
        const { rows, error } = store?.getSnapshot() ?? { rows: null, error: null }
        if (rows === null) {
          if (error !== null) markError(error)
          return
        }
        const writes = syncedWrites(held, rows, getKey)
        if (writes.length > 0) {
          begin()
          for (const one of writes) write(one)
          commit()
        }
        markReady()
      }
      open().then(
        (opened) => {
          if (isEnded) return
          store = opened
          stop = opened.subscribe(show)
          show()
        },
        (error: unknown) => isEnded || markError(error),
      )
      return () => {
        isEnded = true
        stop?.()
        store = null
      }
    },
  }
  const config = { ...(id === undefined ? {} : { id }), getKey, sync }
  if (!table) return config
  const send = async ({ transaction }: { readonly transaction: { readonly mutations: readonly unknown[] } }) => {
    const changes = transaction.mutations as readonly CollectionChange[]
    await replica.transaction((tx) => writeChanges(tx, table, changes))
    // Until this handler resolves, the collection hides what is synced; then it drops what it showed in advance.
    await store?.refresh()
  }
  return { ...config, onInsert: send, onUpdate: send, onDelete: send }
}
