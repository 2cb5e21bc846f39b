import { counterOf, type MutationId, type PatchRow, type Row } from '../../protocol/index.ts'
import { orderRows } from '../mutations/rules/order-rows.ts'
import { patchTables } from '../mutations/rules/patch-of-writes.ts'
import {
  columnsInTheWay,
  netImages,
  type RowImage,
  type RowReversal,
  reversals,
} from '../mutations/rules/reverse-rows.ts'
import type { Copy, Executor } from '../store/copies.ts'
import { keyRow, tableOf } from '../store/replica-table.ts'
import { setOriginOfCurrent } from '../store/rows/mutation-rows.ts'
import { readWritesSince, type StoredWrite } from '../store/rows/write-rows.ts'
import { pinSettings, type RowWrite, readLocalRow, writeLocalRows } from './local-rows.ts'
import type { Outbox } from './outbox.ts'

/** Thrown where a later value stands where an undo or redo would write; nothing was written. */
export class UndoRefused extends Error {
  override readonly name = 'UndoRefused'
  readonly table: string
  readonly key: Row
  readonly columns: readonly string[]

  constructor({ table, key }: Pick<RowReversal, 'table' | 'key'>, columns: readonly string[]) {
    super(`A row of ${table} has been changed since: it is left as it is.`)
    this.table = table
    this.key = key
    this.columns = columns
  }
}

interface Entry {
  readonly counter: number
  readonly images: readonly RowImage[]
}

/** The number of this session's mutations that can be taken back. */
const ENTRIES = 100

/** Answers whether a mutation of this origin is neither an undo nor a redo. */
export const isEdit = (origin: string) => origin !== 'undo' && origin !== 'redo'

type NotedWrite = Pick<StoredWrite, 'counter' | 'table' | 'before' | 'after'>

/** This session's mutations, newest last, so that they can be taken back and brought back. They go with the page. */
export class UndoHistory {
  readonly #outbox: Outbox
  readonly #shown: () => Copy | null
  readonly #done: Entry[] = []
  readonly #undone: Entry[] = []
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

  get canUndo(): boolean {
    return this.#done.length > 0
  }

  get canRedo(): boolean {
    return this.#undone.length > 0
  }

  /** Notes mutations made since, while it can still be seen what each did by itself. */
  async noteMutations(db: Executor, copy: Copy): Promise<void> {
    this.noteWrites(copy, await readWritesSince(db, this.#seen))
  }

  /** Works as `noteMutations`, on writes that were read already: all that mutations made since have. */
  noteWrites(copy: Copy, writes: readonly NotedWrite[]): void {
    const since = writes.filter(({ counter }) => counter > this.#seen)
    for (const [counter, own] of [...Map.groupBy(since, (write) => write.counter)].sort(([a], [b]) => a - b)) {
      // Rows that a cascade took from a table of the server's can be brought back by the server alone.
      const writable = own.filter(({ table }) => tableOf(copy.tables, table).definition.write !== undefined)
      this.#done.push({ counter, images: netImages(writable, (table, row) => keyRow(copy.tables, table, row)) })
      this.#undone.length = 0
      this.#seen = counter
    }
    this.#done.splice(0, this.#done.length - ENTRIES)
  }

  /** Drops failed mutations, which have been taken back already. */
  forgetFailed(failed: ReadonlySet<number>): void {
    for (const entries of [this.#done, this.#undone]) {
      for (const entry of entries.filter(({ counter }) => failed.has(counter))) removeEntry(entries, entry)
    }
  }

  /** Takes back the last mutation, and answers the new one; null where there is none. Rejects with UndoRefused. */
  undoLast(db: Executor): Promise<MutationId | null> {
    return this.#runInTurn(async (copy) => {
      await this.noteMutations(db, copy)
      return this.#reverseLast(copy, 'undo', this.#done, this.#undone)
    })
  }

  /** Works as `undoLast`, on what the last undo did. */
  redoLast(db: Executor): Promise<MutationId | null> {
    return this.#runInTurn(async (copy) => {
      await this.noteMutations(db, copy)
      return this.#reverseLast(copy, 'redo', this.#undone, this.#done)
    })
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
   * Drops what was done to tables and columns that a migration has renamed or dropped since, and all before it: nobody
   * wants an earlier edit taken back in the place of the last one.
   */
  #dropMisfits({ tables }: Copy): void {
    const fits = ({ table, before, after }: RowImage) => {
      const columns = tables.get(table)?.columnByName
      return columns !== undefined && Object.keys({ ...before, ...after }).every((name) => columns.has(name))
    }
    for (const entries of [this.#done, this.#undone]) {
      entries.splice(0, entries.findLastIndex(({ images }) => !images.every(fits)) + 1)
    }
  }

  async #reverseLast(copy: Copy, origin: 'undo' | 'redo', from: Entry[], to: Entry[]): Promise<MutationId | null> {
    const entry = from.at(-1)
    if (!entry) return null
    const steps = orderSteps(
      reversals(entry.images, (table, row) => keyRow(copy.tables, table, row)),
      copy,
    )
    const { id } = await this.#outbox.runTransaction(async (tx) => {
      await pinSettings(tx)
      for (const step of steps) await writeStep(tx, copy, step)
      await setOriginOfCurrent(tx, origin)
    })
    removeEntry(from, entry)
    if (id === null) return null
    const images = steps.map(({ table, from: before, to: after }) => ({ table, before, after }))
    to.push({ counter: counterOf(id), images })
    return id
  }
}

/** Removes an entry, which may no longer be the last. */
function removeEntry(entries: Entry[], entry: Entry): void {
  const place = entries.indexOf(entry)
  if (place !== -1) entries.splice(place, 1)
}

/** Orders steps as constraints allow: rows that a cascade took away come back after those they refer to. */
function orderSteps(steps: readonly RowReversal[], copy: Copy): RowReversal[] {
  const { keys, uniques } = patchTables(copy.tables)
  const byRow = new Map(steps.map((step) => [rowOf(step), step]))
  const rows = [...byRow].map(([row, { from, to }]) => ({ row, before: from, after: to }))
  return orderRows(rows, keys, uniques).flatMap((row) => byRow.get(row) ?? [])
}

function rowOf({ table: t, key: k, from, to }: RowReversal): PatchRow {
  const row = { t, a: '', k: { ...k } }
  if (to === null) return { ...row, o: 'd' }
  return from === null ? { ...row, o: 'i', d: { ...to } } : { ...row, o: 'u', d: { ...to }, b: {} }
}

async function writeStep(tx: Executor, copy: Copy, step: RowReversal): Promise<void> {
  const table = tableOf(copy.tables, step.table)
  const current = await readLocalRow(tx, table, step.key)
  const later = new Set(table.columns.flatMap(({ name, serverDefault }) => (serverDefault ? [name] : [])))
  const columns = columnsInTheWay(step, current, later)
  if (columns) throw new UndoRefused(step, columns)
  const { key, from, to } = step
  const values =
    to && Object.fromEntries((from ? step.columns : Object.keys(to)).map((name) => [name, to[name] ?? null]))
  const write: RowWrite = { table, key, op: to === null ? 'delete' : from === null ? 'insert' : 'update', values }
  await writeLocalRows(tx, [write])
}
