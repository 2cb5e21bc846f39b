import { hasDrifted } from '../../db/definition/find-drift.ts'
import { readDefinitionInForce } from '../../db/index.ts'
import {
  type DefinitionInForce,
  LIMITS,
  type Lsn,
  quoteTable,
  type TableDefinition,
  TidemarkError,
} from '../../protocol/index.ts'
import {
  becomeClient,
  type Database,
  type DatabaseTransaction,
  explainAppCode,
  functionOf,
  SQL_STATE,
  sqlStateOf,
} from '../database/index.ts'
import { log } from '../log.ts'
import { type AudienceMatch, matchAudience } from './audience.ts'
import { type ColumnSpelling, type Spelling, tellSpellings } from './audience-spelling.ts'
import { lookForMigrations, MigrationWaits } from './give-way.ts'
import { joinPosition, type WaitReason } from './join-position.ts'
import { readFacts } from './read-facts.ts'
import { canonicalValueQuery, largeLineQuery, tableRowsQuery } from './table-rows-sql.ts'

/** DDL holds these locks for moments only; while we wait for one, we block others who come after us. */
const LOCK_TIMEOUT_MS = 3_000
const PAGE_ROWS = 500

/** Takes the lines of one table; each call is awaited, so the sink's pace bounds memory. */
export interface LineSink {
  line(line: string, bytes: number): void | Promise<void>
  end(): Promise<void>
}

/** The history and definition that a snapshot belongs to, and where the stream joins it. */
export interface SnapshotHead {
  readonly epoch: string
  readonly definition: DefinitionInForce
  readonly start: Lsn
  readonly fence: Lsn
  readonly snapshot: string
  /** Everything captured by then is shown, so that `start` is the captured head. */
  readonly isWhole: boolean
}

/** Nothing was read, and trying again later may help. */
export interface NotYet {
  readonly wait: WaitReason
}

export interface SnapshotReceiver {
  table(table: TableDefinition): LineSink
}

/**
 * Reads an audience's rows of all synced tables as of one moment to `receiver`; a migration that waits for one of them ends
 * the reading. Throws as `readAtOneMoment`.
 */
export function readSnapshot(
  database: Database,
  audience: string,
  receiver: SnapshotReceiver,
): Promise<SnapshotHead | NotYet> {
  let giveWay: (() => Promise<void>) | null = null
  return readAtOneMoment(database, audience, async (transaction, table, match) => {
    giveWay ??= lookForMigrations(transaction.query)
    const sink = receiver.table(table)
    if (match !== null) await readTable(transaction, table, match, sink, giveWay)
    await sink.end()
  })
}

/** Called with each table in its turn, and with the rows that the audience has in it; null where it has none. */
type ReadOneTable = (
  transaction: DatabaseTransaction,
  table: TableDefinition,
  match: AudienceMatch | null,
) => Promise<void>

/**
 * Reads all synced tables for an audience as of one moment, in one REPEATABLE READ transaction.
 *
 * Locks come before the transaction's snapshot, because a snapshot does not keep out DDL and TRUNCATE. Throws
 * `schema-drift` where a table no longer has the columns its definition names, `misconfigured` where the app's policies
 * fail, `limit-exceeded` for a row too large.
 */
export async function readAtOneMoment(
  database: Database,
  audience: string,
  readOne: ReadOneTable,
): Promise<SnapshotHead | NotYet> {
  const definition = await readDefinitionInForce(database.query)
  if (definition === null) return { wait: 'no-definition' }
  try {
    const head = await database.transaction((transaction) => readIn(transaction, definition, audience, readOne), {
      isolation: 'repeatable read',
      readOnly: true,
    })
    if ('wait' in head) return head
    // The locks prevent neither that partitions are attached nor that labels are renamed.
    return (await hasDrifted(database.query)) ? { wait: 'altered' } : head
  } catch (error) {
    if (sqlStateOf(error) === SQL_STATE.lockNotAvailable || error instanceof MigrationWaits) return { wait: 'locked' }
    const why = explainAppCode(error)
    // Our own statement fails by itself where the definition no longer fits; in a function, or for lack of a right, the
    // app's policies failed.
    if (why !== null && (functionOf(error) !== null || sqlStateOf(error) === SQL_STATE.insufficientPrivilege))
      throw new TidemarkError('misconfigured', `Rows cannot be read as role tidemark_client: ${why}.`, { cause: error })
    switch (sqlStateOf(error)) {
      case UNDEFINED_TABLE:
      case UNDEFINED_COLUMN:
        throw new TidemarkError(
          'schema-drift',
          'A synced table no longer has the columns of the definition in force: run `tidemark migrate`.',
          { cause: error },
        )
      default:
        throw error
    }
  }
}

const UNDEFINED_TABLE = '42P01'
const UNDEFINED_COLUMN = '42703'

async function readIn(
  transaction: DatabaseTransaction,
  definition: DefinitionInForce,
  audience: string,
  readOne: ReadOneTable,
): Promise<SnapshotHead | NotYet> {
  const { tables } = definition.definition
  await transaction.query(`SET LOCAL lock_timeout = '${LOCK_TIMEOUT_MS}ms'`)
  if (tables.length > 0) {
    await transaction.query(`LOCK TABLE ${tables.map(quoteTable).join(', ')} IN ACCESS SHARE MODE`)
  }
  const { facts, version } = await readFacts(transaction.query, definition)
  if (await hasDrifted(transaction.query)) return { wait: 'altered' }
  const position = joinPosition(facts, definition.hash)
  if ('wait' in position || facts.epoch === null) return { wait: 'wait' in position ? position.wait : 'no-epoch' }
  const head: SnapshotHead = {
    epoch: facts.epoch.id,
    definition: { ...definition, version },
    snapshot: facts.snapshot,
    isWhole: facts.firstHidden === null,
    ...position,
  }
  await becomeClient(transaction.query, { userId: null, audiences: [audience] })
  const spellings: ColumnSpelling[] = []
  for (const table of tables) {
    const match = matchAudience(table.audience, audience)
    const spelling = match === null ? null : await spellingOf(transaction, table, match)
    await readOne(transaction, table, spelling === 'as printed' ? match : null)
    if (match?.kind === 'value' && spelling) spellings.push({ table: table.id, column: match.column, spelling })
  }
  for (const line of tellSpellings(audience, spellings)) log({}, 'audience-misspelt', { message: line })
  return head
}

/**
 * Tells how a column prints an audience's value. A value that it cannot hold, or prints otherwise, has no rows; asking
 * must not fail the transaction.
 */
async function spellingOf(
  { query }: DatabaseTransaction,
  table: TableDefinition,
  match: AudienceMatch,
): Promise<Spelling> {
  if (match.kind === 'every') return 'as printed'
  const { text, params } = canonicalValueQuery(table, match)
  await query('SAVEPOINT audience_value')
  try {
    const [row] = await query(text, params)
    await query('RELEASE SAVEPOINT audience_value')
    return row?.canonical === 't' ? 'as printed' : 'otherwise'
  } catch (error) {
    if (!isUnreadableValue(sqlStateOf(error))) throw error
    await query('ROLLBACK TO SAVEPOINT audience_value')
    return 'unreadable'
  }
}

/** True for data exceptions, and for errors that a domain's check raises. */
function isUnreadableValue(sqlState: string | null): boolean {
  return sqlState !== null && (sqlState.startsWith('22') || sqlState.startsWith('23'))
}

async function readTable(
  transaction: DatabaseTransaction,
  table: TableDefinition,
  match: AudienceMatch,
  sink: LineSink,
  giveWay: () => Promise<void>,
): Promise<void> {
  const { text, params } = tableRowsQuery(table, match)
  for await (const page of transaction.pages(text, params, { maxRows: PAGE_ROWS })) {
    await giveWay()
    for (const [bytes, line, ...key] of page) {
      const size = Number(bytes) + 1
      if (line != null) await sink.line(line, size)
      else await sink.line(await readLargeLine(transaction, table, key, size), size)
    }
  }
}

async function readLargeLine(
  { query }: DatabaseTransaction,
  table: TableDefinition,
  key: readonly (string | null)[],
  bytes: number,
): Promise<string> {
  // The stream refuses such a row too; a replica could not take it.
  if (bytes > LIMITS.changeBytes) {
    throw new TidemarkError(
      'limit-exceeded',
      `A row of ${table.id} is larger than ${LIMITS.changeBytes} bytes: shorten it or hide the column.`,
    )
  }
  const { text, params } = largeLineQuery(
    table,
    key.map((value) => value ?? ''),
  )
  const [row] = await query(text, params)
  if (row?.line == null) throw new TidemarkError('internal', `A row of ${table.id} could not be read again by its key.`)
  return row.line
}
