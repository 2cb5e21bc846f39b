import type { Row } from '../../../protocol/index.ts'

/** One change of a row, as far as its reader sees it. */
export interface RowChange {
  readonly operation: string
  /** insert: the row. update: the changed columns. */
  readonly data: Row | null
  /** update: the changed columns before. delete: the row. */
  readonly before: Row | null
}

/**
 * Goes back through the changes of one row to what it was at a place: it takes every change after the place, newest first, then
 * those up to it until `isSettled`.
 */
export class RowFold {
  /** What the row was before the change after the place that was taken last, as far as that is told. */
  #later: Row = {}
  /** What the changes up to the place left. */
  #earlier: Row = {}
  /** True where the row as it stands now tells the columns that no change told. */
  #isAsNow = true
  /** True where the row was not there before the change taken last. */
  #isAbsent = false
  #isSettled = false

  /** True where a change after the place does not tell what it changed, so that nothing can be folded back through it. */
  #isUntold = false

  /** True where history does not keep what the answer needs. */
  get isUntold(): boolean {
    // From the row's insertion on all is told; and of one that was not there nothing need be.
    return this.#isUntold && !this.#isSettled && !this.#isAbsent
  }

  /** True once nothing older can change the answer. */
  get isSettled(): boolean {
    return this.#isSettled
  }

  takeLater({ operation, data, before }: RowChange): void {
    // An update that changed only what its reader is not told has neither.
    if (before === null && (operation === 'delete' || (operation === 'update' && data !== null))) this.#isUntold = true
    this.#isAbsent = operation === 'insert'
    if (operation === 'update') {
      this.#later = { ...this.#later, ...before }
      return
    }
    this.#isAsNow = false
    this.#later = before ?? {}
  }

  takeEarlier({ operation, data }: RowChange): void {
    this.#isAbsent = operation !== 'insert' && operation !== 'update'
    this.#isSettled = operation !== 'update'
    this.#earlier = { ...data, ...this.#earlier }
  }

  /** Answers the row at the place; null where it was not there, or is not told. `now` is the row as it stands, null for none. */
  rowWith(now: Row | null): Row | null {
    if (this.#isAbsent) return null
    if (this.#isSettled) return this.#earlier
    if (this.#isAsNow) return now && { ...now, ...this.#later, ...this.#earlier }
    return { ...this.#later, ...this.#earlier }
  }
}
