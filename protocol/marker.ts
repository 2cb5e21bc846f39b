import type { Change, Row } from './change.ts'
import { decodeChange } from './change-codec.ts'
import type { MarkedChange, PredictedNote, WireChange } from './frames-down.ts'
import type { PredictedChange } from './mutation.ts'

type Predicted = { readonly index: number; readonly change: PredictedChange }

const sameRow = (a: Row, b: Row): boolean => {
  const names = Object.keys(a)
  return names.length === Object.keys(b).length && names.every((name) => a[name] === b[name])
}

/** Tells whether a committed change is the one predicted, whatever its columns hold. */
function isPredicted({ change }: Predicted, committed: WireChange): boolean {
  if (committed.o === 't' || committed.o !== change.o || committed.t !== change.t || committed.a !== change.a)
    return false
  // An insert travels without its key: the prediction shows which columns form it.
  if (committed.o === 'i') return Object.entries(change.k).every(([name, value]) => committed.d[name] === value)
  return sameRow(change.k, committed.k)
}

/**
 * Encodes the changes of a mutation for its author as differences from their prediction, one for one and losing
 * nothing: the prediction and the result together give the changes as captured.
 *
 * Changes come in commit order; each prediction stands for one of them at most.
 */
export class MarkerEncoder {
  readonly #open = new Map<string, Predicted[]>()

  constructor(predicted: readonly PredictedChange[]) {
    for (const [index, change] of predicted.entries()) {
      const waiting = this.#open.get(change.t) ?? []
      waiting.push({ index, change })
      this.#open.set(change.t, waiting)
    }
  }

  encode(committed: WireChange): WireChange | PredictedNote {
    const waiting = this.#open.get(committed.t) ?? []
    const place = waiting.findIndex((predicted) => isPredicted(predicted, committed))
    const [found] = place === -1 ? [] : waiting.splice(place, 1)
    if (!found) return committed
    const note: PredictedNote = { o: 'p', p: found.index }
    if (committed.o === 'd' || committed.o === 't' || found.change.o === 'd') return note
    const before: Row = found.change.d
    const after: Row = committed.d
    const different = Object.entries(after).filter(([name, value]) => before[name] !== value)
    const unwritten = Object.keys(before).filter((name) => !Object.hasOwn(after, name))
    if (different.length > 0) note.d = Object.fromEntries(different)
    if (unwritten.length > 0) note.x = unwritten
    return note
  }
}

/**
 * Restores the changes as captured, from the changes sent to their author and the author's prediction.
 *
 * Null where they refer to a prediction that is not known here; rows sent whole need none.
 */
export function decodeMarked(
  changes: readonly MarkedChange[],
  predicted: readonly PredictedChange[] | null,
): Change[] | null {
  const decoded: Change[] = []
  for (const change of changes) {
    if (change.o === 'm' || change.o === 'v') continue
    if (change.o !== 'p') {
      decoded.push(decodeChange(change))
      continue
    }
    const prediction = predicted?.[change.p]
    if (!prediction) return null
    decoded.push(overlay(prediction, change))
  }
  return decoded
}

function overlay(prediction: PredictedChange, { d = {}, x = [] }: PredictedNote): Change {
  const { t: table, a: audience, k: key } = prediction
  if (prediction.o === 'd') return { op: 'delete', table, audience, key }
  const kept = Object.entries(prediction.d).filter(([name]) => !x.includes(name))
  const data: Row = { ...Object.fromEntries(kept), ...d }
  return prediction.o === 'i' ? { op: 'insert', table, audience, data } : { op: 'update', table, audience, key, data }
}
