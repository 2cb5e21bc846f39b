import { type Lsn, TidemarkError } from '../../protocol/index.ts'
import type { Database, DatabaseTransaction } from '../database/index.ts'
import { PagedStore, SingleStore } from './batch-store.ts'
import type { ChangeSource, SourcePage } from './change-source.ts'
import {
  BatchReader,
  type BatchRequest,
  type CapturedBatch,
  DriftInTransaction,
  LogReplaced,
  TablesNotAsked,
} from './read-batch.ts'
import { BatchTally } from './rules/batch-tally.ts'

/**
 * Peeks once and stores what is new, all in one transaction that is durable when this resolves. With a `reader`, a connection
 * of its own, the next page is read while one is stored.
 *
 * Throws what the database throws, and `LogReplaced`; a drift is not thrown, since the transactions before it are stored.
 */
export async function captureBatch(
  database: Database,
  source: ChangeSource,
  request: BatchRequest,
  reader: Database | null = null,
): Promise<CapturedBatch> {
  const store = (reading: DatabaseTransaction, storing: DatabaseTransaction) =>
    new BatchReader(
      new PagedStore(storing, request.epoch, request.head, request.unplacedTo),
      request,
      asksForTables(source),
    ).read(source.peek(reading, request))
  try {
    if (reader === null) return await database.transaction((both) => store(both, both))
    return await reader.transaction((reading) => database.transaction((storing) => store(reading, storing)))
  } catch (error) {
    if (error instanceof TablesNotAsked)
      return await captureBatch(database, source, { ...request, ahead: error.ahead }, reader)
    if (!(error instanceof DriftInTransaction)) throw error
    if (error.before === null || error.before <= request.head) return emptyBatch(error.drift)
    const before = await captureBatch(database, source, { ...request, upTo: error.before }, reader)
    return { ...before, complete: false, drift: before.drift ?? error.drift }
  }
}

export interface StoredShortPeek {
  readonly batch: CapturedBatch
  /** Null where there was nothing to store. */
  readonly seen: SingleStore['seen']
}

/**
 * Stores a short peek that was already made, by one statement; durable when this resolves. Returns null, with nothing
 * stored, where that will not do and `captureBatch` must peek anew.
 *
 * Throws what the database throws.
 */
export async function storeShortPeek(
  database: Database,
  source: ChangeSource,
  rows: readonly string[],
  request: BatchRequest,
  slotAtMost: Lsn,
): Promise<StoredShortPeek | null> {
  async function* page(): AsyncGenerator<SourcePage> {
    yield { events: source.decode(rows, request.plans), serverRows: rows.length }
  }
  try {
    const slot = { slotName: request.slotName, atMost: slotAtMost }
    const store = new SingleStore(database, request.epoch, request.head, slot, request.unplacedTo)
    const batch = await new BatchReader(store, request, asksForTables(source)).read(page())
    return { batch, seen: store.seen }
  } catch (error) {
    if (error instanceof DriftInTransaction || error instanceof TablesNotAsked || error instanceof LogReplaced)
      return null
    if (error instanceof TidemarkError && error.kind === 'schema-drift') return null
    throw error
  }
}

/** pgoutput goes by the publication, as it is at each place of the log. */
const asksForTables = ({ decoder }: ChangeSource) => decoder === 'wal2json'

function emptyBatch(drift: TidemarkError): CapturedBatch {
  const { news } = new BatchTally(() => false)
  return { head: null, seenTo: null, complete: false, storedRows: 0, news, definitionVersion: null, drift }
}
