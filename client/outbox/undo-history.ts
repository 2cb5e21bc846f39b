import { counterOf, type MutationId } from '../../protocol/index.ts'
import { netImages, type RowImage } from '../mutations/rules/reverse-rows.ts'
import type { CallOrigin } from '../store/call-origin.ts'
import type { Copy, Executor } from '../store/copies.ts'
import { keyRow, tableOf } from '../store/replica-table.ts'
import { readCurrentMutation } from '../store/rows/settings.ts'
import { readWritesSince, type StoredWrite } from '../store/rows/write-rows.ts'
import type { Outbox } from './outbox.ts'
import {
  beginReversal,
  type Entry,
  noteReversal,
  type Reversal,
  type SavedHistory,
  TabHistory,
  writeReversal,
} from './tab-history.ts'

/** Answers whether a mutation of this origin is neither an undo nor a redo. */
export const isEdit = (origin: string) => origin !== 'undo' && origin !== 'redo'

/** A write of a mutation, and the tab that made it. */
export type NotedWrite = Pick<StoredWrite, 'counter' | 'table' | 'before' | 'after'> & { readonly tab: string | null }

/** What each tab did in this session; where there are no tabs, all is of the one that is called null. */
export class UndoHistory {
  readonly #outbox: Outbox
  readonly #shown: () => Copy | null
  readonly #tabs = new Map<string | null, TabHistory>([[null, new TabHistory()]])
  /** What tabs had not had confirmed when this engine began, until they come: once confirmed it could not be read any more. */
  readonly #inherited = new Map<string, NotedWrite[]>()
  /** The last mutation that was looked at. */
  #seen: number
  /** Resolves once what tabs did before they came is noted. */
  #tabsOpened: Promise<unknown> = Promise.resolve()

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
    const opened = this.#tabsOpened.then(() => this.#readEarlier(db, tab, history))
    this.#tabsOpened = opened.catch(() => undefined)
    await opened
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

  /**
   * Takes back the last mutation (`undo`), or what the last undo did (`redo`), and answers the new one; null where there is
   * none. Rejects with UndoRefused. Rule TAB-R21.
   */
  async reverseLast(origin: 'undo' | 'redo', by: CallOrigin | null): Promise<MutationId | null> {
    // What a tab that has just come did before is being read; its later calls wait for this one elsewhere.
    if (by !== null) await this.#tabsOpened
    if (this.#shown() === null) return null
    let putBack: () => void = () => undefined
    const reverse = async (tx: Executor): Promise<void> => {
      const copy = this.#shown()
      if (copy === null) return
      await this.noteMutations(tx, copy)
      const reversal = this.#reversalOf(copy, origin, by?.tab ?? null)
      if (reversal === null) return
      await writeReversal(tx, reversal, origin)
      // This is noted already here, as the next undo may begin before the commit of this one is told of.
      putBack = noteReversal(reversal, await readCurrentMutation(tx))
    }
    try {
      return (await this.#outbox.runTransaction(reverse, by)).id
    } catch (error) {
      putBack()
      throw error
    }
  }

  /** Notes an undo or redo that another engine did for this tab, and had not told it of. */
  async noteReversed(origin: 'undo' | 'redo', made: MutationId, tab: string): Promise<void> {
    await this.#tabsOpened
    const copy = this.#shown()
    const reversal = copy && this.#reversalOf(copy, origin, tab)
    if (reversal?.to.every(({ counter }) => counter !== counterOf(made))) noteReversal(reversal, counterOf(made))
  }

  #historyOf(tab: string | null): TabHistory {
    return this.#tabs.get(tab) ?? new TabHistory()
  }

  async #readEarlier(db: Executor, tab: string, history: TabHistory): Promise<void> {
    const copy = this.#shown()
    if (copy === null) return
    const inherited = this.#inherited.get(tab) ?? []
    this.#inherited.delete(tab)
    const known = new Set(inherited.map(({ counter }) => counter))
    const since = (await readWritesSince(db, history.seen, tab)).filter(({ counter }) => !known.has(counter))
    for (const entry of entriesOf(copy, [...inherited, ...since])) history.noteMutation(entry)
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

  /** Finds what is to be reversed; null where there is nothing. */
  #reversalOf(copy: Copy, origin: 'undo' | 'redo', tab: string | null): Reversal | null {
    this.#dropMisfits(copy)
    return beginReversal(this.#historyOf(tab), copy, origin)
  }
}

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
