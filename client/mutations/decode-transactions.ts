import {
  type Change,
  decodeMarked,
  type Lsn,
  type MarkedChange,
  type PredictedChange,
  type Rejection,
  TidemarkError,
  type Transaction,
  type WireTransaction,
} from '../../protocol/index.ts'
import type { Executor } from '../store/copies.ts'
import type { ReplicaTables } from '../store/replica-table.ts'
import { type Predictions, readPredictions } from '../store/rows/mutation-rows.ts'

/** Names the mutation of this replica that a transaction is, or whose rejection it records. */
export interface OwnNote {
  readonly counter: number
  readonly rejection: Rejection | null
}

/** A transaction as it came, with the own mutation that it is; null where it is the work of others. */
export interface Incoming extends Transaction {
  readonly own: OwnNote | null
}

/** Thrown where an own transaction came as its difference from a prediction that is not known here. */
export class UnknownPrediction extends TidemarkError {
  readonly lsn: Lsn

  constructor(lsn: Lsn) {
    super('corrupt', 'A mutation came that this replica does not know.')
    this.lsn = lsn
  }
}

const NONE: Predictions = new Map()

/**
 * Decodes transactions; own ones go by their prediction, which is read from the outbox where `known` lacks it. Throws
 * UnknownPrediction for the first that cannot be decoded, as where its prediction is not said in the names of `tables`.
 */
export async function decodeTransactions(
  tx: Executor,
  wire: readonly WireTransaction[],
  tables: ReplicaTables,
  known: Predictions = NONE,
): Promise<Incoming[]> {
  const notes = wire.map(({ changes }) => noteOf(changes))
  const counters = notes.flatMap((note) => (note === null ? [] : [note.counter]))
  const predictions = counters.every((counter) => known.has(counter)) ? known : await readPredictions(tx, counters)
  return wire.map(({ lsn, xid, at, changes }, index) => {
    const own = notes[index] ?? null
    return { lsn, xid, committedAt: at, changes: decodeChanges(lsn, changes, own, predictions, tables), own }
  })
}

/** The note comes first in its transaction. */
export function noteOf(changes: readonly MarkedChange[]): OwnNote | null {
  const [first] = changes
  return first?.o === 'm' ? { counter: first.c, rejection: first.r ?? null } : null
}

export function decodeChanges(
  lsn: Lsn,
  changes: readonly MarkedChange[],
  own: OwnNote | null,
  predictions: Predictions,
  tables: ReplicaTables,
): Change[] {
  const predicted = (own && predictions.get(own.counter)) ?? null
  const decoded = decodeMarked(changes, predicted?.every((one) => isNamedIn(one, tables)) ? predicted : null)
  if (decoded === null) throw new UnknownPrediction(lsn)
  return decoded
}

/** A prediction that a lost database or a load across versions left in old names is none: the server sends the rows. */
function isNamedIn(change: PredictedChange, tables: ReplicaTables): boolean {
  const columns = tables.get(change.t)?.columnByName
  const names = [...Object.keys(change.k), ...('d' in change ? Object.keys(change.d) : [])]
  return columns !== undefined && names.every((name) => columns.has(name))
}
