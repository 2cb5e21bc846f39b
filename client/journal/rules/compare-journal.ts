import type { Rejection } from '../../../protocol/index.ts'
import type { JournalState, OpenMutation } from './fold-journal.ts'

/** A mutation as the database has it. */
export interface KnownMutation {
  readonly counter: number
  readonly status: 'pending' | 'sent' | 'confirmed' | 'failed'
  readonly isFrozen: boolean
}

export interface KnownOutbox {
  readonly client: string
  /** The highest number it has given. */
  readonly counter: number
  /** All that are not confirmed, and the confirmed ones that the journal has as open. */
  readonly mutations: readonly KnownMutation[]
}

/** The facts that the database lacks of its journal and is to recover. */
export interface Recovery {
  /** The client id under which the replica goes on, and the least that its counter is to be. */
  readonly client: string
  readonly counter: number
  /** Mutations that the database never knew. */
  readonly missing: readonly OpenMutation[]
  /** Mutations of another client id: their outcome cannot be asked under the one that the database goes on with. */
  readonly foreign: readonly OpenMutation[]
  /** Mutations that left; the database knows neither that nor their text. */
  readonly frozen: readonly OpenMutation[]
  /** Mutations that the server has committed, at a place in the stream that is not known here. */
  readonly committed: readonly number[]
  readonly failed: ReadonlyMap<number, Rejection>
  /** Mutations that the app has decided on. */
  readonly discarded: readonly number[]
}

/** More numbers than a device gives in its life: none above them was given in the part that a journal has lost. */
export const SKIPPED_NUMBERS = 2 ** 32

export const OUTCOME_UNKNOWN: Rejection = {
  kind: 'outcome-unknown',
  message:
    'The storage of this replica was copied, lost or set back, so that it cannot tell what became of this. Retry it if it is missing.',
}

/** Finds what a database that was just opened lacks of its journal. Rule JRN-R9. */
export function compareJournal(journal: JournalState, known: KnownOutbox): Recovery {
  const { client, counter } = known
  if (journal.client !== client && counter > 0)
    return { ...NOTHING, client, counter, foreign: [...journal.open.values()] }
  const rows = new Map(known.mutations.map((one) => [one.counter, one]))
  const isBehind = journal.client !== client || journal.counter > counter
  const skipped = isBehind && !journal.isWhole ? SKIPPED_NUMBERS : 0
  const recovery = {
    client: journal.client,
    counter: Math.max(counter, journal.counter) + skipped,
    foreign: [],
    missing: [] as OpenMutation[],
    frozen: [] as OpenMutation[],
    committed: [] as number[],
    failed: new Map<number, Rejection>(),
    discarded: [] as number[],
  }
  const squashed = new Set<number>()
  for (const [number, open] of journal.open) {
    const row = rows.get(number)
    for (const one of open.frozen?.took ?? []) squashed.add(one)
    if (!row && number > counter) recovery.missing.push(open)
    if (!row || row.status === 'confirmed' || row.status === 'failed') continue
    if (open.frozen && !row.isFrozen) recovery.frozen.push(open)
    if (open.rejection) recovery.failed.set(number, open.rejection)
  }
  for (const { counter: number, status } of known.mutations) {
    if (status === 'confirmed' || number > journal.counter || journal.open.has(number) || squashed.has(number)) continue
    const how = journal.ended.get(number)
    const isWaiting = status !== 'failed'
    if (how === 'confirmed' && isWaiting) recovery.committed.push(number)
    if (how === 'gone') recovery.discarded.push(number)
    if (how !== 'confirmed' && isWaiting) recovery.failed.set(number, OUTCOME_UNKNOWN)
  }
  return recovery
}

const NOTHING: Omit<Recovery, 'client' | 'counter' | 'foreign'> = {
  missing: [],
  frozen: [],
  committed: [],
  failed: new Map(),
  discarded: [],
}
