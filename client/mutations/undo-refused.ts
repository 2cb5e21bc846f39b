import type { Row } from '../../protocol/index.ts'

/** Thrown where a later value stands where an undo or redo would write; nothing was written. */
export class UndoRefused extends Error {
  override readonly name = 'UndoRefused'
  readonly table: string
  readonly key: Row
  readonly columns: readonly string[]

  constructor({ table, key }: { readonly table: string; readonly key: Row }, columns: readonly string[]) {
    super(`A row of ${table} has been changed since: it is left as it is.`)
    this.table = table
    this.key = key
    this.columns = columns
  }
}
