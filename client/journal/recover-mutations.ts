import { type Definition, pushedMutationSchema, type Rejection } from '../../protocol/index.ts'
import { sealNewPatches } from '../mutations/seal-patches.ts'
import type { Executor } from '../store/copies.ts'
import { replicaTables } from '../store/replica-table.ts'
import { insertSent, readKnown, readShownVersion, restoreFrozen } from '../store/rows/journal-rows.ts'
import { passOverKeysOf } from '../store/rows/leased-keys.ts'
import { storeCommitted, storeFailed } from '../store/rows/outcome-rows.ts'
import { giveNumbers, readIdentity, restoreIdentity } from '../store/rows/owner-row.ts'
import { squashMutations } from '../store/rows/sending-rows.ts'
import { deleteWrites, insertWrites } from '../store/rows/write-rows.ts'
import type { Said } from '../store/rules/said-version.ts'
import { compareJournal, type KnownOutbox, OUTCOME_UNKNOWN, type Recovery } from './rules/compare-journal.ts'
import type { JournalState, OpenMutation } from './rules/fold-journal.ts'

/**
 * Gives the outbox what it lacks of its journal, in the transaction that opens the database. A mutation that it never
 * knew has no effect yet: it is done at the join, or by `Outbox.finishRecovery` where a copy is shown.
 */
export async function recoverFromJournal(tx: Executor, journal: JournalState): Promise<Recovery> {
  const known = await readOutbox(tx, journal)
  const recovery = compareJournal(journal, known)
  const { client, counter, missing, foreign, frozen, committed } = recovery
  // Most often the database lacks nothing, and each statement makes an opening longer.
  if (client !== known.client || counter !== known.counter) await restoreIdentity(tx, { client, counter })
  await insertRecovered(tx, missing, journal.definitions)
  await insertForeign(tx, foreign, journal.definitions)
  for (const open of frozen) await restoreText(tx, open)
  if (committed.length > 0) await storeCommitted(tx, committed)
  return recovery
}

async function readOutbox(tx: Executor, { open }: JournalState): Promise<KnownOutbox> {
  return { ...(await readIdentity(tx)), mutations: await readKnown(tx, open.keys()) }
}

const byNumber = (a: OpenMutation, b: OpenMutation) => a.made.counter - b.made.counter

/** Inserts these; those captured and not sealed get their rows as sealing makes them, under their own definitions. */
async function insertRecovered(
  tx: Executor,
  mutations: readonly OpenMutation[],
  definitions: ReadonlyMap<string, Definition>,
): Promise<void> {
  if (mutations.length === 0) return
  const shown = await readShownVersion(tx)
  const captured: OpenMutation[] = []
  for (const open of [...mutations].sort(byNumber)) {
    await insertOne(tx, open, shown)
    if (open.made.kind === 'patch' && open.made.patch === null && !open.frozen) captured.push(open)
  }
  for (const [hash, group] of Map.groupBy(captured, ({ made }) => made.hash)) {
    for (const { made } of group) await insertWrites(tx, made.counter, made.writes)
    const definition = hash === null ? null : definitions.get(hash)
    if (definition) await sealNewPatches(tx, replicaTables(definition, 'live'))
  }
  // A database that is older than they are may have their keys left to give.
  await passOverKeysOf(
    tx,
    mutations.map(({ made }) => made.counter),
  )
  // None of them has done anything to the rows that are here.
  await deleteWrites(
    tx,
    mutations.map(({ made }) => made.counter),
  )
  for (const open of mutations) {
    const rejection = open.rejection ?? (isOutdated(open, shown) ? OTHER_VERSION : null)
    if (rejection) await storeFailed(tx, open.made.counter, rejection)
  }
}

const OTHER_VERSION: Rejection = {
  kind: 'outdated-schema',
  message:
    'The storage of this replica was set back to another version of the schema than this was written in. Retry it if it is missing.',
}

/** Answers whether it would be done on rows of another version than its own; what left is the server's to decide. */
const isOutdated = (open: OpenMutation, shown: Said | null) =>
  shown !== null && open.made.kind === 'patch' && open.frozen === null && saidBeside(open, shown) !== null

/** Answers the version in which it is said, where that is known and not the one shown. */
function saidBeside({ made, frozen }: OpenMutation, shown: Said | null): Said | null {
  const left = frozen && requestOf(frozen.request).version
  // What left was said in that one version alone.
  const said = made.said && left ? { epoch: made.said.epoch, version: left } : made.said
  return saidText(said) === saidText(shown) ? null : said
}

const saidText = (said: Said | null) =>
  JSON.stringify(said && [said.epoch, said.version, Object.entries(said.behind ?? {}).sort()])

async function insertOne(tx: Executor, open: OpenMutation, shown: Said | null): Promise<void> {
  const { made, frozen } = open
  const patch = made.kind === 'action' ? null : frozen ? rowsOf(frozen.request) : made.patch
  const said = saidBeside(open, shown)
  const keys = frozen && made.kind === 'action' ? keysOf(frozen.request) : made.keys
  await insertSent(tx, {
    ...made,
    keys,
    patch,
    said,
    request: frozen?.request ?? null,
    predicted: frozen?.predicted ?? null,
  })
}

/** Inserts these under new numbers and as failed: nobody can ask for their outcome, so the app decides. */
async function insertForeign(
  tx: Executor,
  foreign: readonly OpenMutation[],
  definitions: ReadonlyMap<string, Definition>,
): Promise<void> {
  if (foreign.length === 0) return
  const sorted = [...foreign].sort(byNumber)
  const first = await giveNumbers(tx, sorted.length)
  const renumbered = sorted.map(({ made, frozen, rejection }, index) => {
    const counter = first + index
    return {
      made: { ...made, counter },
      frozen: frozen && { ...frozen, counter },
      rejection: rejection ?? OUTCOME_UNKNOWN,
    }
  })
  await insertRecovered(tx, renumbered, definitions)
}

async function restoreText(tx: Executor, { made, frozen }: OpenMutation): Promise<void> {
  if (!frozen) return
  const { counter, request, predicted, took } = frozen
  await squashMutations(tx, counter, took)
  await restoreFrozen(tx, { counter, request, predicted, patch: made.kind === 'patch' ? rowsOf(request) : null })
}

const requestOf = (request: string) => pushedMutationSchema.parse(JSON.parse(request))

function keysOf(request: string): string | null {
  const mutation = requestOf(request)
  return mutation.kind === 'action' && mutation.keys ? JSON.stringify(mutation.keys) : null
}

function rowsOf(request: string): string {
  const mutation = requestOf(request)
  return JSON.stringify(mutation.kind === 'patch' ? mutation.rows : [])
}
