import { counterOf, type MutationId } from '../../protocol/index.ts'
import { netImages, type RowImage, type RowReversal, reversals } from '../mutations/rules/reverse-rows.ts'
import { UndoRefused } from '../mutations/undo-refused.ts'
import type { CallOrigin } from '../store/call-origin.ts'
import type { Copy, Executor } from '../store/copies.ts'
import { keyRow, tableOf } from '../store/replica-table.ts'
import { setOriginOfCurrent } from '../store/rows/mutation-rows.ts'
import { pinSettings } from '../store/rows/settings.ts'
import { readWritesSince, type StoredWrite } from '../store/rows/write-rows.ts'
import type { Outbox } from './outbox.ts'
import { orderSteps, stepInTheWay, writeStep } from './reverse-steps.ts'

interface Entry {
  readonly counter: number
  readonly images: readonly RowImage[]
  /** The types that the columns had, by table; a tab of an earlier build noted none. */
  readonly types?: Readonly<Record<string, Readonly<Record<string, string>>>>
}

/** The number of this session's mutations that can be taken back. */
const ENTRIES = 100

/** Answers whether a mutation of this origin is neither an undo nor a redo. */
export const isEdit = (origin: string) => origin !== 'undo' && origin !== 'redo'

/** A write of a mutation, and the tab that made it. */
export type NotedWrite = Pick<StoredWrite, 'counter' | 'table' | 'before' | 'after'> & { readonly tab: string | null }

/** What a tab may take back and bring back, as data that it keeps while another engine takes over; newest last. */
export interface SavedHistory {
  readonly done: readonly Entry[]
  readonly undone: readonly Entry[]
  /** The last mutation of the tab that was noted. */
  readonly seen: number
}

/** The mutations of one tab, so that they can be taken back and brought back. They go with the tab. */
class TabHistory {
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

/**
 * What each tab did in this session; where there are no tabs, all is of the one that is called null.
 *
 * It is long because undoing, bringing back and handing over to another engine move the same entries.
 */
export class UndoHistory {
  readonly #outbox: Outbox
  readonly #shown: () => Copy | null
  readonly #tabs = new Map<string | null, TabHistory>([[null, new TabHistory()]])
  /** What tabs had not had confirmed when this engine began, until they come: once confirmed it could not be read any more. */
  readonly #inherited = new Map<string, NotedWrite[]>()
  /** The last mutation that was looked at. */
  #seen: number
  #turn: Promise<unknown> = Promise.resolve()

  constructor(options: { readonly outbox: Outbox; readonly shown: () => Copy | null; readonly since: number }) {
    this.#outbox = options.outbox
    this.#shown = options.shown
    this.#seen = options.since
  }

  /** The last mutation that was noted, whether or not it can still be taken back. */
  get seen(): number {
    return this.#seen
  }

  /** Keeps what tabs did under an earlier engine, for those that come. To be called before anything is confirmed. */
  async inherit(db: Executor): Promise<void> {
    const writes = await readWritesSince(db, 0)
    for (const [tab, own] of Map.groupBy(writes, (write) => write.tab)) if (tab !== null) this.#inherited.set(tab, own)
  }

  /** From now on notes what this tab does, after what it did before: also what it was not told of while another engine had it. */
  async openTab(db: Executor, tab: string, saved: SavedHistory | null): Promise<void> {
    const history = new TabHistory(saved ?? undefined)
    this.#tabs.set(tab, history)
    await this.#runInTurn(async (copy) => {
      const inherited = this.#inherited.get(tab) ?? []
      this.#inherited.delete(tab)
      const known = new Set(inherited.map(({ counter }) => counter))
      const since = (await readWritesSince(db, history.seen, tab)).filter(({ counter }) => !known.has(counter))
      for (const entry of entriesOf(copy, [...inherited, ...since])) history.noteMutation(entry)
      return null
    })
  }

  closeTab(tab: string): void {
    this.#tabs.delete(tab)
  }

  stateOf(tab: string | null): { readonly canUndo: boolean; readonly canRedo: boolean; readonly version: number } {
    const { done, undone, version } = this.#historyOf(tab)
    return { canUndo: done.length > 0, canRedo: undone.length > 0, version }
  }

  savedOf(tab: string): SavedHistory {
    const { done, undone, seen } = this.#historyOf(tab)
    return { done: [...done], undone: [...undone], seen }
  }

  /** Notes mutations made since, while it can still be seen what each did by itself. */
  async noteMutations(db: Executor, copy: Copy): Promise<void> {
    this.noteWrites(copy, await readWritesSince(db, this.#seen))
  }

  /** Works as `noteMutations`, on writes that were read already: all that mutations made since have. */
  noteWrites(copy: Copy, writes: readonly NotedWrite[]): void {
    const since = writes.filter(({ counter }) => counter > this.#seen)
    for (const entry of entriesOf(copy, since)) {
      this.#tabs.get(entry.tab)?.noteMutation(entry)
      this.#seen = entry.counter
    }
  }

  /** Drops failed mutations, which have been taken back already. */
  forgetFailed(failed: ReadonlySet<number>): void {
    for (const history of this.#tabs.values()) history.forgetFailed(failed)
    for (const [tab, writes] of this.#inherited)
      this.#inherited.set(
        tab,
        writes.filter(({ counter }) => !failed.has(counter)),
      )
  }

  /** Takes back the last mutation, and answers the new one; null where there is none. Rejects with UndoRefused. */
  undoLast(db: Executor, by: CallOrigin | null): Promise<MutationId | null> {
    return this.#runInTurn(async (copy) => {
      await this.noteMutations(db, copy)
      return this.#reverseLast(copy, 'undo', by)
    })
  }

  /** Works as `undoLast`, on what the last undo did. */
  redoLast(db: Executor, by: CallOrigin | null): Promise<MutationId | null> {
    return this.#runInTurn(async (copy) => {
      await this.noteMutations(db, copy)
      return this.#reverseLast(copy, 'redo', by)
    })
  }

  /** Notes an undo or redo that another engine did for this tab, and had not told it of. */
  async noteReversed(origin: 'undo' | 'redo', made: MutationId, tab: string): Promise<void> {
    await this.#runInTurn(async (copy) => {
      const history = this.#historyOf(tab)
      const { from, to } = sidesOf(history, origin)
      const entry = from.at(-1)
      if (!entry || to.some(({ counter }) => counter === counterOf(made))) return null
      history.remove(from, entry)
      to.push(reversedEntry(stepsOf(entry, copy), made, entry))
      return null
    })
  }

  #historyOf(tab: string | null): TabHistory {
    return this.#tabs.get(tab) ?? new TabHistory()
  }

  /** Runs undo and redo one after another, because each goes by what the one before left. */
  #runInTurn(work: (copy: Copy) => Promise<MutationId | null>): Promise<MutationId | null> {
    const turn = this.#turn.then(() => {
      const copy = this.#shown()
      if (copy === null) return null
      this.#dropMisfits(copy)
      return work(copy)
    })
    this.#turn = turn.catch(() => undefined)
    return turn
  }

  /**
   * Drops what was done to tables and columns that a migration has renamed, retyped or dropped since, and all before it:
   * nobody wants an earlier edit taken back in the place of the last one.
   */
  #dropMisfits({ tables }: Copy): void {
    const fitsIn =
      ({ types }: Entry) =>
      ({ table, before, after }: RowImage) => {
        const columns = tables.get(table)?.columnByName
        return Object.keys({ ...before, ...after }).every((name) => {
          const type = columns?.get(name)?.type
          return type !== undefined && type === (types?.[table]?.[name] ?? type)
        })
      }
    for (const { done, undone } of this.#tabs.values()) {
      for (const entries of [done, undone])
        entries.splice(0, entries.findLastIndex((entry) => !entry.images.every(fitsIn(entry))) + 1)
    }
  }

  async #reverseLast(copy: Copy, origin: 'undo' | 'redo', by: CallOrigin | null): Promise<MutationId | null> {
    const history = this.#historyOf(by?.tab ?? null)
    const { from, to } = sidesOf(history, origin)
    const entry = from.at(-1)
    if (!entry) return null
    const steps = stepsOf(entry, copy)
    const { id } = await this.#outbox.runTransaction(async (tx) => {
      await pinSettings(tx)
      for (const step of steps) {
        const columns = await stepInTheWay(tx, copy, step)
        if (columns) throw new UndoRefused(step, columns)
        await writeStep(tx, copy, step)
      }
      await setOriginOfCurrent(tx, origin)
    }, by)
    history.remove(from, entry)
    if (id === null) return null
    to.push(reversedEntry(steps, id, entry))
    return id
  }
}

/** The entries from which an undo or redo takes one, and those to which it goes. */
const sidesOf = ({ done, undone }: TabHistory, origin: 'undo' | 'redo') =>
  origin === 'undo' ? { from: done, to: undone } : { from: undone, to: done }

/** Makes entries of writes, in the order of their mutations. */
function entriesOf(copy: Copy, writes: readonly NotedWrite[]): (Entry & { readonly tab: string | null })[] {
  const byMutation = [...Map.groupBy(writes, (write) => write.counter)].sort(([a], [b]) => a - b)
  return byMutation.map(([counter, own]) => {
    // Rows that a cascade took from a table of the server's can be brought back by the server alone.
    const writable = own.filter(({ table }) => tableOf(copy.tables, table).definition.write !== undefined)
    const images = netImages(writable, (table, row) => keyRow(copy.tables, table, row))
    return { counter, images, types: typesOf(copy, images), tab: own[0]?.tab ?? null }
  })
}

const typesOf = ({ tables }: Copy, images: readonly RowImage[]): NonNullable<Entry['types']> =>
  Object.fromEntries(
    images.map(({ table }) => [
      table,
      Object.fromEntries(tableOf(tables, table).columns.map(({ name, type }) => [name, type])),
    ]),
  )

const stepsOf = ({ images }: Entry, copy: Copy): RowReversal[] =>
  orderSteps(
    reversals(images, (table, row) => keyRow(copy.tables, table, row)),
    copy,
  )

const reversedEntry = (steps: readonly RowReversal[], made: MutationId, { types }: Entry): Entry => ({
  counter: counterOf(made),
  ...(types && { types }),
  images: steps.map(({ table, from: before, to: after }) => ({ table, before, after })),
})
