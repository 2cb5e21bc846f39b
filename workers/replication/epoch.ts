import { nanoid } from 'nanoid'
import { readDefinitionInForce } from '../../db/definition/definition-in-force.ts'
import { type DefinitionInForce, formatPgLsn, TidemarkError } from '../../protocol/index.ts'
import type { Database } from '../database/index.ts'
import type { DatabaseEnv } from '../env.ts'
import { takeOver } from './adopt-drift.ts'
import { mendPublication } from './publication.ts'
import type { EpochRow, OwnIdentity } from './rules/epoch-decision.ts'
import { publicationMark } from './rules/publication-mark.ts'
import { SchemaDrift } from './rules/schema-drift.ts'
import { type CycleFacts, readFacts } from './server-facts.ts'
import { createSlot, dropSlot, type MadeSlot } from './slot.ts'

export interface StartedEpoch extends MadeSlot {
  readonly epoch: EpochRow
  readonly definition: DefinitionInForce
  readonly publication: string
}

const EPOCH_ID_LENGTH = 16

async function requireDefinition(database: Database): Promise<DefinitionInForce> {
  const definition = await readDefinitionInForce(database.query)
  if (definition !== null) return definition
  throw new TidemarkError('misconfigured', 'No sync definition is in force yet: run tidemark migrate.')
}

/**
 * Ends the current history, if any, and begins one: new slot, new id.
 *
 * The end is stored first: after a kill at any point in between there is no current epoch, and the next call begins one.
 */
export async function startEpoch(
  env: DatabaseEnv,
  database: Database,
  facts: CycleFacts,
  own: OwnIdentity,
  reason: string,
): Promise<StartedEpoch> {
  const definition = await requireDefinition(database)
  const drifts = await takeOver(database, { findTakenBack: null })
  if (drifts.length > 0) throw new SchemaDrift(drifts)
  if (facts.epoch !== null) {
    await database.query('UPDATE tidemark.epoch SET ended_at = now(), end_reason = $2 WHERE id = $1', [
      facts.epoch.id,
      reason,
    ])
  }
  await dropSlot(database.query, own.slotName)
  await mendPublication(database.query, definition)
  const slot = await createSlot(env, own.slotName, own.decoder, definition.definition)
  const after = await readFacts(database.query, own.slotName)
  const startLsn = after.slot?.confirmedFlushLsn ?? null
  if (startLsn === null)
    throw new TidemarkError('unavailable', 'The replication slot vanished while it was made; it is tried again.')
  const epoch = await database.transaction(async (transaction) => {
    // A change of the definition holds a conflicting lock until it is visible: this one was in force at the start.
    await transaction.query('LOCK TABLE tidemark.sync_definition IN SHARE MODE')
    const now = await readDefinitionInForce(transaction.query)
    if (now?.version !== definition.version) {
      throw new TidemarkError('unavailable', 'The sync definition changed while the slot was made; it is tried again.')
    }
    const row: EpochRow = {
      id: nanoid(EPOCH_ID_LENGTH),
      slotName: own.slotName,
      owner: own.owner,
      decoder: slot.decoder,
      systemIdentifier: after.systemIdentifier,
      timeline: after.timeline,
      startLsn,
      headLsn: startLsn,
      floorLsn: startLsn,
      definitionVersion: definition.version,
    }
    await transaction.query(
      `INSERT INTO tidemark.epoch (id, slot_name, owner, decoder, system_identifier, timeline, start_lsn, start_xid, head_lsn, floor_lsn, definition_version)
       VALUES ($1, $2, $3, $4, $5, $6::int, $7::pg_lsn, pg_current_xact_id(), $7::pg_lsn, $7::pg_lsn, $8::bigint)`,
      [
        row.id,
        row.slotName,
        row.owner,
        row.decoder,
        row.systemIdentifier,
        row.timeline,
        formatPgLsn(startLsn),
        row.definitionVersion,
      ],
    )
    return row
  })
  return { ...slot, epoch, definition, publication: publicationMark(after.latestDefinitionVersion, after.publication) }
}

/** Reads the definition in force at the epoch's head: the last that its history announced, else its first one. */
export async function readDefinitionAtHead(database: Database, epoch: EpochRow): Promise<DefinitionInForce> {
  const [row] = await database.query(
    `SELECT schema_version::text AS version FROM tidemark.change_history
     WHERE epoch = $1 AND table_name = 'tidemark.sync_definition' ORDER BY lsn DESC, seq DESC LIMIT 1`,
    [epoch.id],
  )
  const version = row?.version ? Number(row.version) : epoch.definitionVersion
  const definition = await readDefinitionInForce(database.query, version)
  if (definition === null) {
    throw new TidemarkError(
      'misconfigured',
      `Definition ${version} is missing in tidemark.sync_definition, which nobody may prune.`,
    )
  }
  return definition
}
