import type { PatchRow } from '../../protocol/index.ts'
import type { Executor } from '../store/copies.ts'
import { keyText, type ReplicaTables } from '../store/replica-table.ts'
import { readUnsealed, sealPatches } from '../store/rows/mutation-rows.ts'
import {
  deleteWrites,
  flagCascadeWrites,
  readWritesBeside,
  readWritesOf,
  type StoredWrite,
} from '../store/rows/write-rows.ts'
import { type CapturedWrite, changedColumns, rowId } from '../store/rules/captured-write.ts'
import { NOTIFY_OUTBOX } from '../store/rules/outbox-notice.ts'
import { cascadesAmong } from './rules/cascades.ts'
import { type PatchTables, patchOfWrites, patchTables } from './rules/patch-of-writes.ts'

/**
 * Gives new patches their rows and bases, from what was captured before anything moved; a second call does nothing.
 *
 * A patch whose writes come to nothing is confirmed at once.
 */
export async function sealNewPatches(tx: Executor, tables: ReplicaTables): Promise<void> {
  const counters = await readUnsealed(tx)
  if (counters.length === 0) return
  // Earlier mutations' writes to the same rows are read too, because the new ones may be based on them.
  const writes = await readWritesBeside(tx, counters)
  const facts = patchTables(tables)
  const sealed = derivePatches(counters, writes, facts)
  await sealPatches(tx, sealed)
  const empty = sealed.filter(({ patch }) => patch.length === 0).map(({ counter }) => counter)
  if (empty.length > 0) {
    await deleteWrites(tx, empty)
    await tx.exec(NOTIFY_OUTBOX)
  }
  await flagCascades(tx, tables, counters)
}

function derivePatches(counters: readonly number[], writes: readonly StoredWrite[], facts: PatchTables) {
  const writers = new Writers()
  const byCounter = new Map<number, StoredWrite[]>(counters.map((counter) => [counter, []]))
  for (const write of writes) {
    const own = byCounter.get(write.counter)
    if (own) own.push(write)
    else if (!write.cascade) writers.note(write.counter, write)
  }
  return counters.map((counter) => {
    const patch = patchOfWrites(byCounter.get(counter) ?? [], facts, (table, key, column) =>
      writers.of(table, key, column),
    )
    writers.notePatch(counter, patch, facts.tables)
    return { counter, patch }
  })
}

/** Remembers the mutation that last wrote each column of a row. */
class Writers {
  readonly #whole = new Map<string, number>()
  readonly #columns = new Map<string, Map<string, number>>()

  of(table: string, key: string, column: string): number | null {
    const row = rowId(table, key)
    return this.#columns.get(row)?.get(column) ?? this.#whole.get(row) ?? null
  }

  note(counter: number, { table, key, before, after }: CapturedWrite): void {
    if (after !== null) this.#note(counter, rowId(table, key), before && changedColumns(before, after))
  }

  notePatch(counter: number, patch: readonly PatchRow[], tables: ReplicaTables): void {
    for (const row of patch) {
      const table = tables.get(row.t)
      if (!table || row.o === 'd') continue
      this.#note(counter, rowId(row.t, keyText(table, row.k)), row.o === 'i' ? null : Object.keys(row.d))
    }
  }

  /** `columns` null: all of them, by an insert. */
  #note(counter: number, row: string, columns: readonly string[] | null): void {
    if (columns === null) {
      this.#whole.set(row, counter)
      this.#columns.delete(row)
      return
    }
    const written = this.#columns.get(row) ?? new Map<string, number>()
    for (const column of columns) written.set(column, counter)
    this.#columns.set(row, written)
  }
}

/** Marks the writes that foreign keys did on behalf of these mutations when they were last done. */
export async function flagCascades(tx: Executor, tables: ReplicaTables, counters: readonly number[]): Promise<void> {
  const { keys } = patchTables(tables)
  if (counters.length === 0 || keys.every(({ onDelete, onUpdate }) => onDelete === null && onUpdate === null)) return
  const byCounter = new Map<number, StoredWrite[]>()
  for (const write of await readWritesOf(tx, counters)) {
    byCounter.set(write.counter, [...(byCounter.get(write.counter) ?? []), write])
  }
  const marked = [...byCounter.values()].flatMap((writes) => {
    const cascades = cascadesAmong(writes, keys)
    return writes.filter((_, index) => cascades[index]).map(({ position }) => position)
  })
  if (marked.length === 0) return
  await flagCascadeWrites(tx, marked)
}
