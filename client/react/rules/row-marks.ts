import type { Row } from '../../../protocol/index.ts'
import type { Failure, MutationRecord } from '../../mutations/mutation.ts'

/** The state of a row that is not simply the server's: kept here, on its way, or refused. */
export type Mark = 'pending' | 'sent' | 'failed'

/** Marks by the key that the app gives to rows. */
export type RowMarks = ReadonlyMap<string, Mark>

/** A row that a mutation writes, as far as it is known: its key at least. */
export interface WrittenRow {
  /** The table's id, such as `public.issue`. */
  readonly table: string
  readonly row: Row
}

/** How the app names rows: what is written may mark several, such as a comment and its issue. */
export interface MarkKeys {
  /** The keys that a written row marks. Default: its `id`. */
  readonly keysOf?: (written: WrittenRow) => readonly (string | null | undefined)[]
  /** The keys that a refused action marks, besides those of its rows. Default: none. */
  readonly keysOfAction?: (action: { readonly name: string; readonly args: unknown }) => readonly (string | null)[]
}

const RANK: Readonly<Record<Mark, number>> = { sent: 0, pending: 1, failed: 2 }

/** Marks the rows of mutations that wait, and of failures, which count most. */
export function rowMarks(
  records: readonly Pick<MutationRecord, 'status' | 'writes'>[],
  failures: readonly Pick<Failure, 'rows' | 'action'>[],
  { keysOf = ({ row }) => [row.id], keysOfAction = () => [] }: MarkKeys = {},
): RowMarks {
  const marks = new Map<string, Mark>()
  const mark = (keys: readonly (string | null | undefined)[], as: Mark) => {
    for (const key of keys) {
      if (key == null) continue
      const before = marks.get(key)
      if (before === undefined || RANK[before] < RANK[as]) marks.set(key, as)
    }
  }
  for (const { status, writes } of records) {
    if (status !== 'pending' && status !== 'sent') continue
    for (const { table, before, after } of writes) mark(keysOf({ table, row: after ?? before ?? {} }), status)
  }
  for (const { rows, action } of failures) {
    for (const { table, key, local, server } of rows)
      mark(keysOf({ table, row: { ...server, ...local, ...key } }), 'failed')
    if (action) mark(keysOfAction(action), 'failed')
  }
  return marks
}
