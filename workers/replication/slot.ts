import { PUBLISHES_GENERATED_COLUMNS_FROM } from '../../db/definition/generated-stays.ts'
import type { Query } from '../../db/query.ts'
import { type Definition, formatPgLsn, type Lsn, TidemarkError } from '../../protocol/index.ts'
import { databaseMessageOf, openDatabase, SQL_STATE, sqlStateOf, textArray } from '../database/index.ts'
import type { DatabaseEnv } from '../env.ts'
import {
  chooseDecoder,
  type DecoderChoice,
  type DecoderFacts,
  type DecoderName,
  wal2jsonFault,
} from './rules/decoder-choice.ts'

/** Making a slot waits for every transaction that has written; the next alarm tries again. */
const CREATE_TIMEOUT_MS = 20_000

export interface MadeSlot extends DecoderChoice {
  readonly numericAsString: boolean
}

/**
 * Makes the slot on a connection of its own, with the decoder that can capture this definition.
 *
 * Throws `misconfigured` with the remedy, or `unavailable` where open transactions kept it waiting.
 */
export async function createSlot(
  env: DatabaseEnv,
  slotName: string,
  asked: 'auto' | DecoderName,
  definition: Definition,
  timeoutMs = CREATE_TIMEOUT_MS,
): Promise<MadeSlot> {
  const database = await openDatabase(env, { applicationName: 'tidemark slot', statementTimeoutMs: timeoutMs })
  const { query } = database
  try {
    const facts: DecoderFacts = {
      wal2jsonFault: asked === 'pgoutput' ? 'not asked for' : await forbidden(query),
      numericAsString: true,
      partitioned: await partitionedTables(query, definition),
      sendsGenerated: await sendsGenerated(query),
    }
    const first = chooseDecoder(asked, facts, definition)
    if (first.decoder === 'pgoutput') {
      await create(query, slotName, 'pgoutput')
      return { ...first, numericAsString: true }
    }
    const fault = await tryWal2json(query, slotName)
    if (fault !== null) return await fallBack(query, slotName, asked, { ...facts, wal2jsonFault: fault }, definition)
    const numericAsString = await probeNumericAsString(query, slotName)
    const probed = { ...facts, numericAsString }
    if (wal2jsonFault(probed, definition) === null) return { ...first, numericAsString }
    await dropSlot(query, slotName)
    return await fallBack(query, slotName, asked, probed, definition)
  } finally {
    await database.close()
  }
}

async function fallBack(
  query: Query,
  slotName: string,
  asked: 'auto' | DecoderName,
  facts: DecoderFacts,
  definition: Definition,
): Promise<MadeSlot> {
  const choice = chooseDecoder(asked, facts, definition)
  await create(query, slotName, choice.decoder)
  return { ...choice, numericAsString: facts.numericAsString }
}

/** Recent minor releases name the plugins they load; null where wal2json is among them or nothing is said. */
async function forbidden(query: Query): Promise<string | null> {
  const [row] = await query(`SELECT current_setting('output_plugin_libraries', true) AS libraries`)
  const libraries = row?.libraries ?? null
  if (libraries === null || libraries.split(',').some((name) => name.trim() === 'wal2json')) return null
  return 'the server does not allow wal2json (output_plugin_libraries)'
}

/** Tells whether pgoutput sends stored generated columns on this server. */
export async function sendsGenerated(query: Query): Promise<boolean> {
  const [server] = await query(`SELECT current_setting('server_version_num') AS version`)
  return Number(server?.version) >= PUBLISHES_GENERATED_COLUMNS_FROM
}

/** Ids of the synced tables that are partitioned. */
export async function partitionedTables(query: Query, definition: Definition): Promise<string[]> {
  const tables = definition.tables.map(({ id, schema, name }) => ({ id, schema, name }))
  const rows = await query(
    `SELECT t.id FROM json_to_recordset($1::json) AS t(id text, schema text, name text)
     JOIN pg_namespace n ON n.nspname = t.schema JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = t.name
     WHERE c.relkind = 'p'`,
    [JSON.stringify(tables)],
  )
  return rows.map((row) => row.id ?? '')
}

/** Answers why the plugin cannot be loaded; null where the slot is made. */
async function tryWal2json(query: Query, slotName: string): Promise<string | null> {
  try {
    await create(query, slotName, 'wal2json')
    return null
  } catch (error) {
    const sqlState = sqlStateOf(error)
    const aboutPlugin = /wal2json|output plugin/.test(databaseMessageOf(error) ?? '')
    if (sqlState === null || !aboutPlugin) throw error
    return `the server cannot load wal2json (SQLSTATE ${sqlState})`
  }
}

async function create(query: Query, slotName: string, plugin: DecoderName): Promise<void> {
  try {
    await query('SELECT pg_create_logical_replication_slot($1, $2)', [slotName, plugin])
  } catch (error) {
    const remedy = CREATE_REMEDIES[sqlStateOf(error) ?? '']
    if (remedy === undefined || /wal2json/.test(databaseMessageOf(error) ?? '')) throw error
    const [kind, message] = remedy
    throw new TidemarkError(kind, message, { cause: error instanceof TidemarkError ? error.cause : error })
  }
}

const CREATE_REMEDIES: Readonly<Record<string, ['misconfigured' | 'unavailable', string]>> = {
  [SQL_STATE.objectNotInPrerequisiteState]: [
    'misconfigured',
    'Logical decoding is off: set wal_level = logical (on Neon: enable logical replication for the project).',
  ],
  [SQL_STATE.insufficientPrivilege]: [
    'misconfigured',
    'The role may not make replication slots: ALTER ROLE … REPLICATION (on Neon: use a role made in the console).',
  ],
  '53400': [
    'misconfigured',
    'Every replication slot is in use: raise max_replication_slots or drop slots nobody reads.',
  ],
  [SQL_STATE.queryCanceled]: [
    'unavailable',
    'The replication slot waits for open transactions that have written; it is tried again. Look for them in pg_stat_activity.',
  ],
}

/** Tells whether wal2json knows the option that keeps NaN; reads one record of the log at most. */
export async function probeNumericAsString(query: Query, slotName: string): Promise<boolean> {
  try {
    await query(`SELECT 1 FROM pg_logical_slot_peek_changes($1, '0/1', 1, VARIADIC $2::text[])`, [
      slotName,
      textArray(['format-version', '2', 'numeric-data-types-as-string', '1']),
    ])
    return true
  } catch (error) {
    if (/numeric-data-types-as-string/.test(databaseMessageOf(error) ?? '')) return false
    throw error
  }
}

/** Drops the slot if it is there. Throws `unavailable` while somebody reads it. */
export async function dropSlot(query: Query, slotName: string): Promise<void> {
  await query(
    `SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots
     WHERE slot_name = $1 AND database = current_database()`,
    [slotName],
  )
}

/** Lets the server forget the log up to here, as far as this slot is concerned. */
export async function advanceSlot(query: Query, slotName: string, to: Lsn): Promise<void> {
  await query('SELECT pg_replication_slot_advance($1, $2::pg_lsn)', [slotName, formatPgLsn(to)])
}

/** Answers the fault of a slot that was dropped or given up after the facts showed it; null for any other error. */
export function slotFault(error: unknown): TidemarkError | null {
  const state = sqlStateOf(error)
  const isGone =
    state === SQL_STATE.objectNotInPrerequisiteState ||
    (state === SQL_STATE.undefinedObject && /replication slot/.test(databaseMessageOf(error) ?? ''))
  // An error that says why no slot can be made has its own remedy.
  if (!isGone || !(error instanceof TidemarkError) || error.kind === 'misconfigured') return null
  const message = 'The replication slot went away during a cycle; the next one begins a new history.'
  return new TidemarkError('unavailable', message, { cause: error.cause })
}

/** Writes a running-transactions record, from which the slot may restart; false where it is not granted or unknown. */
export async function logStandbySnapshot(query: Query): Promise<boolean> {
  const [row] = await query(
    `SELECT coalesce(bool_or(has_function_privilege(oid, 'EXECUTE')), false)::text AS granted
     FROM pg_proc WHERE proname = 'pg_log_standby_snapshot'`,
  )
  if (row?.granted !== 'true') return false
  await query('SELECT pg_log_standby_snapshot()')
  return true
}
