import {
  audienceOf,
  outputExpression,
  type PastRow,
  quoteIdentifier,
  quoteTable,
  type Row,
  type TableDefinition,
  TidemarkError,
  type ToldChange,
  travellingColumns,
} from '../../protocol/index.ts'
import { asClient, type ClientIdentity, type Database, sqlStateOf } from '../database/index.ts'
import { type ChangePlace, type HistoryBounds, readBounds, readChanges } from './row-history.ts'
import { columnsSince } from './rules/columns-since.ts'
import { RowFold } from './rules/fold-row.ts'
import { type HistoryPlace, readStamps, readVersionAt, readVersionsSince } from './version-at.ts'

const PAGE_CHANGES = 500
const NO_FORMER_VALUES =
  "History keeps no former values of this table (history: 'keys' in its sync definition), and the row was changed since."
/** So many changes of one row are gone back through. */
const MOST_CHANGES = 10_000

/**
 * Answers the row as it was at a place, in the columns of now; null where it was not there, or not for this reader.
 *
 * The row as it stands is read before `captureAll`, which captures all that was committed: a column that no change names then is
 * as it was. Throws `bad-input` for a place that history does not reach back to, and for one at which the table was not synced
 * under its name of now; and `limit-exceeded`.
 */
export async function readRowAt(
  database: Database,
  reader: ClientIdentity,
  row: { readonly table: TableDefinition; readonly key: Row },
  place: HistoryPlace,
  captureAll: () => Promise<unknown>,
): Promise<PastRow> {
  const now = await readRowNow(database, reader, row.table, row.key)
  await captureAll()
  const bounds = await readBounds(database.query)
  requireWithin(bounds, place)
  const { epoch } = bounds
  const { was, later } = await readVersionsSince(database.query, await readVersionAt(database.query, epoch, place))
  const since = columnsSince(row.table.id, was, later)
  if (since === null)
    throw new TidemarkError(
      'bad-input',
      `${row.table.id} was not synced by this name at that place: ask for a later one.`,
    )
  const fold = new RowFold()
  let below: ChangePlace | null = null
  for (let taken = 0; !fold.isSettled; taken += PAGE_CHANGES) {
    if (taken >= MOST_CHANGES)
      throw new TidemarkError(
        'limit-exceeded',
        `The row has more than ${MOST_CHANGES} changes since; ask for a later place.`,
      )
    const page: ToldChange[] = await readChanges(database, reader, { epoch, ...row }, below, PAGE_CHANGES)
    for (const change of page) {
      if (isAfter(change, place)) fold.takeLater(change)
      else if (!fold.isSettled) fold.takeEarlier(change)
    }
    below = page.at(-1) ?? null
    if (page.length < PAGE_CHANGES) break
  }
  if (fold.isUntold) throw new TidemarkError('bad-input', NO_FORMER_VALUES)
  const untold = new Set(since.untold.map(({ column }) => column))
  const stamps = await readStamps(database.query, row.table)
  return { epoch, row: without(fold.rowWith(now), untold), untold: [...since.untold], gone: [...since.gone], stamps }
}

const without = (row: Row | null, columns: ReadonlySet<string>): Row | null =>
  row && Object.fromEntries(Object.entries(row).filter(([name]) => !columns.has(name)))

const isAfter = ({ lsn, at }: ToldChange, place: HistoryPlace): boolean =>
  'lsn' in place ? lsn > place.lsn : Date.parse(at) > place.timeMs

function requireWithin({ from, since }: HistoryBounds, place: HistoryPlace): void {
  const isWithin = 'lsn' in place ? place.lsn >= from : place.timeMs >= Date.parse(since)
  if (isWithin) return
  throw new TidemarkError('bad-input', `History reaches back to ${from}, ${since}: ask for that place or a later one.`)
}

/** Reads the row as it stands now; null where there is none of that key, or none that this reader sees. */
async function readRowNow(
  database: Database,
  reader: ClientIdentity,
  table: TableDefinition,
  key: Row,
): Promise<Row | null> {
  const typeOf = (name: string) => table.columns.find((column) => column.name === name)?.type ?? 'text'
  const columns = travellingColumns(table).map((column) => {
    const name = quoteIdentifier(column.name)
    return `CASE WHEN ${name} IS NOT NULL THEN ${outputExpression(column)} END AS ${name}`
  })
  const conditions = table.primaryKey.map(
    (name, index) => `${quoteIdentifier(name)} = $${index + 1}::text::${typeOf(name)}`,
  )
  const text = `SELECT ${columns.join(', ')} FROM ${quoteTable(table)} WHERE ${conditions.join(' AND ')}`
  const params = table.primaryKey.map((name) => key[name] ?? null)
  try {
    const [found] = await asClient(database, reader, ({ query }) => query(text, params), { readOnly: true })
    if (found === undefined) return null
    const named = audienceOf(table.audience, found)
    return named !== null && reader.audiences.includes(named) ? found : null
  } catch (error) {
    // A text that is no value of the key's type names no row.
    if (sqlStateOf(error)?.startsWith('22')) return null
    throw error
  }
}
