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
  /** All that are not confirmed, and of the others those that the journal has open. */
  readonly mutations: readonly KnownMutation[]
}

/** What the database is to learn from its journal. */
export interface Learning {
  /** Under which the replica goes on, and the least that its counter is to be. */
  readonly client: string
  readonly counter: number
  /** The database never knew them. */
  readonly taken: readonly OpenMutation[]
  /** It never knew them, and goes on under another client id: their outcome cannot be asked under it. */
  readonly foreign: readonly OpenMutation[]
  /** It does not know that they left, nor in which text. */
  readonly frozen: readonly OpenMutation[]
  /** They are committed at the server, and it is not known here where. */
  readonly committed: readonly number[]
  readonly failed: ReadonlyMap<number, Rejection>
  /** The app has decided on them. */
  readonly discarded: readonly number[]
}

/** More numbers than a device gives in its life: beyond what a journal lost nothing was given. */
export const SKIPPED_NUMBERS = 2 ** 32

export const OUTCOME_UNKNOWN: Rejection = {
  kind: 'outcome-unknown',
  message:
    'The storage of this replica was copied, lost or set back, so that it cannot tell what became of this. Retry it if it is missing.',
}

/** What a database that was just opened lacks of its journal. Rule JRN-R5. */
export function compareJournal(journal: JournalState, known: KnownOutbox): Learning {
  const { client, counter } = known
  if (journal.client !== client && counter > 0)
    return { ...NOTHING, client, counter, foreign: [...journal.open.values()] }
  const rows = new Map(known.mutations.map((one) => [one.counter, one]))
  const isBehind = journal.client !== client || journal.counter > counter
  const skipped = isBehind && !journal.isWhole ? SKIPPED_NUMBERS : 0
  const learning = {
    client: journal.client,
    counter: Math.max(counter, journal.counter) + skipped,
    foreign: [],
    taken: [] as OpenMutation[],
    frozen: [] as OpenMutation[],
    committed: [] as number[],
    failed: new Map<number, Rejection>(),
    discarded: [] as number[],
  }
  const squashed = new Set<number>()
  for (const [number, open] of journal.open) {
    const row = rows.get(number)
    for (const taken of open.frozen?.took ?? []) squashed.add(taken)
    if (!row && number > counter) learning.taken.push(open)
    if (!row || row.status === 'confirmed' || row.status === 'failed') continue
    if (open.frozen && !row.isFrozen) learning.frozen.push(open)
    if (open.rejection) learning.failed.set(number, open.rejection)
  }
  for (const { counter: number, status } of known.mutations) {
    if (status === 'confirmed' || number > journal.counter || journal.open.has(number) || squashed.has(number)) continue
    const how = journal.ended.get(number)
    const isWaiting = status !== 'failed'
    if (how === 'confirmed' && isWaiting) learning.committed.push(number)
    if (how === 'gone') learning.discarded.push(number)
    if (how !== 'confirmed' && isWaiting) learning.failed.set(number, OUTCOME_UNKNOWN)
  }
  return learning
}

const NOTHING: Omit<Learning, 'client' | 'counter' | 'foreign'> = {
  taken: [],
  frozen: [],
  committed: [],
  failed: new Map(),
  discarded: [],
}

/** Whether the database lacks nothing but what it will hear of by itself. */
export function hasLearnt({ taken, foreign, frozen, committed, failed, discarded }: Learning): boolean {
  return [taken, foreign, frozen, committed, discarded].every(({ length }) => length === 0) && failed.size === 0
}
