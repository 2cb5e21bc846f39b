import { type RowImage, type RowReversal, reversals } from '../mutations/rules/reverse-rows.ts'
import { UndoRefused } from '../mutations/undo-refused.ts'
import type { Copy, Executor } from '../store/copies.ts'
import { keyRow } from '../store/replica-table.ts'
import { setOriginOfCurrent } from '../store/rows/mutation-rows.ts'
import { pinSettings } from '../store/rows/settings.ts'
import { orderSteps, stepInTheWay, writeStep } from './reverse-steps.ts'

export interface Entry {
  readonly counter: number
  readonly images: readonly RowImage[]
  /** The types that the columns had, by table; a tab of an earlier build noted none. */
  readonly types?: Readonly<Record<string, Readonly<Record<string, string>>>>
}

/** The number of this session's mutations that can be taken back. */
const ENTRIES = 100

/** What a tab may take back and bring back, as data that it keeps while another engine takes over; newest last. */
export interface SavedHistory {
  readonly done: readonly Entry[]
  readonly undone: readonly Entry[]
  /** The last mutation of the tab that was noted. */
  readonly seen: number
}

/** The mutations of one tab, so that they can be taken back and brought back. They go with the tab. */
export class TabHistory {
  readonly done: Entry[]
  readonly undone: Entry[]
  seen: number
  /** Grows with every change. */
  version = 0

  constructor({ done, undone, seen }: SavedHistory = { done: [], undone: [], seen: 0 }) {
    this.done = [...done]
    this.undone = [...undone]
    this.seen = seen
  }

  noteMutation(entry: Entry): void {
    if (this.seen >= entry.counter) return
    this.seen = entry.counter
    this.done.push(entry)
    this.undone.length = 0
    this.done.splice(0, this.done.length - ENTRIES)
    this.version += 1
  }

  forgetFailed(failed: ReadonlySet<number>): void {
    for (const entries of [this.done, this.undone]) {
      for (const entry of entries.filter(({ counter }) => failed.has(counter))) this.remove(entries, entry)
    }
  }

  /** Removes an entry, which may no longer be the last. */
  remove(entries: Entry[], entry: Entry): void {
    const place = entries.indexOf(entry)
    if (place !== -1) entries.splice(place, 1)
    this.version += 1
  }
}

/** An entry that is taken from one side of a tab's history and goes to the other. */
export interface Reversal {
  readonly copy: Copy
  readonly history: TabHistory
  readonly from: Entry[]
  readonly to: Entry[]
  readonly entry: Entry
  readonly steps: readonly RowReversal[]
}

export async function writeReversal(tx: Executor, { copy, steps }: Reversal, origin: 'undo' | 'redo'): Promise<void> {
  await pinSettings(tx)
  for (const step of steps) {
    const columns = await stepInTheWay(tx, copy, step)
    if (columns) throw new UndoRefused(step, columns)
    await writeStep(tx, copy, step)
  }
  await setOriginOfCurrent(tx, origin)
}

/**
 * Moves the entry to the other side, as the mutation that was made; that is null where nothing had to be written. Answers what moves
 * it back.
 */
export function noteReversal({ history, from, to, entry, steps }: Reversal, made: number | null): () => void {
  const reversed = made === null ? null : reversedEntry(steps, made, entry)
  history.remove(from, entry)
  if (reversed) to.push(reversed)
  return () => {
    if (reversed) history.remove(to, reversed)
    const later = from.findIndex(({ counter }) => counter > entry.counter)
    from.splice(later === -1 ? from.length : later, 0, entry)
  }
}

/** Finds what an undo or redo is about; null where there is nothing. */
export function beginReversal(history: TabHistory, copy: Copy, origin: 'undo' | 'redo'): Reversal | null {
  const { from, to } = sidesOf(history, origin)
  const entry = from.at(-1)
  return entry ? { copy, history, from, to, entry, steps: stepsOf(entry, copy) } : null
}

/** The entries from which an undo or redo takes one, and those to which it goes. */
const sidesOf = ({ done, undone }: TabHistory, origin: 'undo' | 'redo') =>
  origin === 'undo' ? { from: done, to: undone } : { from: undone, to: done }

const stepsOf = ({ images }: Entry, copy: Copy): RowReversal[] =>
  orderSteps(
    reversals(images, (table, row) => keyRow(copy.tables, table, row)),
    copy,
  )

const reversedEntry = (steps: readonly RowReversal[], counter: number, { types }: Entry): Entry => ({
  counter,
  ...(types && { types }),
  images: steps.map(({ table, from: before, to: after }) => ({ table, before, after })),
})
