import { readDefinitionInForce } from '../../db/definition/definition-in-force.ts'
import { maxLsn, TidemarkError } from '../../protocol/index.ts'
import type { Database } from '../database/index.ts'
import type { CaptureSettings, CaptureState, CaptureStore } from './capture-state.ts'
import { readDefinitionAtHead, startEpoch } from './epoch.ts'
import { pgoutputSource } from './pgoutput-source.ts'
import { findPublicationFault, mendPublication } from './publication.ts'
import { pgoutputFault, wal2jsonFault } from './rules/decoder-choice.ts'
import { type EpochRow, NO_MEMORY } from './rules/epoch-decision.ts'
import { publicationAltered, publicationMark } from './rules/publication-mark.ts'
import { planTables } from './rules/table-plan.ts'
import type { CycleFacts } from './server-facts.ts'
import { partitionedTables, probeNumericAsString, sendsGenerated } from './slot.ts'
import { wal2jsonSource } from './wal2json-source.ts'

/** Resumes the current history; null where its decoder can no longer capture it and another may. */
export async function resumeHistory(
  settings: CaptureSettings,
  store: CaptureStore,
  database: Database,
  epoch: EpochRow,
): Promise<CaptureState | null> {
  const memory = store.read()
  const definition = await readDefinitionAtHead(database, epoch)
  const isWal2json = epoch.decoder === 'wal2json'
  const numericAsString = !isWal2json || (await probeNumericAsString(database.query, epoch.slotName))
  if (isWal2json) {
    const partitioned = await partitionedTables(database.query, definition.definition)
    const able = { wal2jsonFault: null, numericAsString, partitioned, sendsGenerated: true }
    const fault = wal2jsonFault(able, definition.definition)
    if (fault !== null && settings.decoder === 'auto') return null
    if (fault !== null) throw new TidemarkError('misconfigured', `${fault}. Set decoder to 'auto' or 'pgoutput'.`)
  } else {
    const able = { sendsGenerated: await sendsGenerated(database.query) }
    const fault = pgoutputFault(able, definition.definition)
    if (fault !== null) throw new TidemarkError('misconfigured', `${fault}.`)
  }
  // The memory may rightly be ahead of the stored head, but only where it is of this epoch.
  const capturedTo =
    memory.epoch === epoch.id ? maxLsn(epoch.headLsn, memory.capturedTo ?? epoch.headLsn) : epoch.headLsn
  if (memory.epoch !== epoch.id) {
    const { publication } = store.read()
    store.write({ ...NO_MEMORY, epoch: epoch.id, capturedTo, headLsn: epoch.headLsn, publication })
  }
  return {
    epoch,
    definition,
    plans: planTables(definition),
    source: isWal2json ? wal2jsonSource({ numericAsString }) : pgoutputSource(),
    decoderReason: `the epoch began with ${epoch.decoder}`,
    numericAsString,
    capturedTo,
    startedReason: null,
  }
}

/** Begins a new history; every client then loads anew. */
export async function startHistory(
  settings: CaptureSettings,
  store: CaptureStore,
  database: Database,
  facts: CycleFacts,
  reason: string,
): Promise<CaptureState> {
  const started = await startEpoch(settings.env, database, facts, settings, reason)
  const { epoch, definition, decoder, numericAsString, publication } = started
  const { startLsn } = epoch
  const at = { capturedTo: startLsn, advancedTo: startLsn, headLsn: startLsn }
  store.write({ ...NO_MEMORY, ...at, epoch: epoch.id, publication })
  return {
    epoch,
    definition,
    plans: planTables(definition),
    source: decoder === 'wal2json' ? wal2jsonSource({ numericAsString }) : pgoutputSource(),
    decoderReason: started.reason,
    numericAsString,
    capturedTo: epoch.startLsn,
    startedReason: reason,
  }
}

/** Answers why pgoutput may have missed something, else null. A publication that wal2json does not need is mended. */
export async function findPublicationLoss(
  store: CaptureStore,
  database: Database,
  facts: CycleFacts,
  decoder: string,
): Promise<string | null> {
  const mark = publicationMark(facts.latestDefinitionVersion, facts.publication)
  const { publication } = store.read()
  if (mark === publication) return null
  const latest = await readDefinitionInForce(database.query)
  const fault = latest === null ? null : await findPublicationFault(database.query, latest)
  const altered = publicationAltered(publication, mark) ? 'publication-altered' : null
  // pgoutput's publication is mended only once the epoch has ended, so that a kill in between cannot hide the loss.
  if (decoder === 'pgoutput' && (fault ?? altered) !== null) return fault ?? altered
  if (fault !== null && latest !== null) await mendPublication(database.query, latest)
  else store.write({ ...store.read(), publication: mark })
  return null
}
