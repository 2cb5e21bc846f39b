import type { Row } from '../../protocol/index.ts'

/** A row that stands in the way, with the columns that do; of one that refers to another, those by which it does. */
export interface RowInTheWay {
  readonly table: string
  readonly key: Row
  readonly columns: readonly string[]
}

/**
 * Why nothing was restored or rolled back. `changed`: the rows hold later values there. `built-on`: the rows refer to one
 * that would go. `columns`: these columns had another name or type, are no more, or did not travel for a while. `absent`: the row was
 * not there at that place. `partial`: the mutation changed rows that are not seen here. `unconfirmed`: it is not confirmed, so that
 * `undo` or its failure has it.
 */
export type HistoryRefusal = 'changed' | 'built-on' | 'columns' | 'absent' | 'partial' | 'unconfirmed'

const WORDS: Readonly<Record<HistoryRefusal, string>> = {
  changed: 'These rows have been changed since: they are left as they are.',
  'built-on': 'Other rows refer to one that would go: it is left as it is.',
  columns:
    'Columns were renamed, retyped, dropped or hidden since, so that what they held cannot be said now: name the columns to restore.',
  absent: 'The row was not there at that place, or not for this user.',
  partial: 'It changed rows that are not seen here, so that it cannot be taken back whole.',
  unconfirmed: 'It is not confirmed: undo it, or decide on its failure.',
}

/** Thrown where an earlier version is not restored, or a mutation not rolled back; nothing was written. */
export class HistoryRefused extends Error {
  override readonly name = 'HistoryRefused'
  readonly reason: HistoryRefusal
  readonly rows: readonly RowInTheWay[]

  constructor(reason: HistoryRefusal, rows: readonly RowInTheWay[] = []) {
    super(WORDS[reason])
    this.reason = reason
    this.rows = rows
  }
}
