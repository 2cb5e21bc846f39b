import type { Failure, MutationRecord } from 'tidemark/client'

export type Mark = 'pending' | 'sent' | 'failed'

/** Marks by the id of a row; a write to an issue's labels or comments marks the issue too. */
export type RowMarks = ReadonlyMap<string, Mark>

type Values = Readonly<Record<string, string | null>>

const RANK: Readonly<Record<Mark, number>> = { sent: 0, pending: 1, failed: 2 }

export function rowMarks(
  records: readonly Pick<MutationRecord, 'status' | 'writes'>[],
  failures: readonly Pick<Failure, 'rows' | 'action'>[],
): RowMarks {
  const marks = new Map<string, Mark>()
  const mark = (values: Values | null, as: Mark) => {
    for (const id of [values?.id, values?.issue_id]) {
      if (id == null) continue
      const before = marks.get(id)
      if (before === undefined || RANK[before] < RANK[as]) marks.set(id, as)
    }
  }
  for (const { status, writes } of records) {
    if (status !== 'pending' && status !== 'sent') continue
    for (const { before, after } of writes) mark(after ?? before, status)
  }
  for (const { rows, action } of failures) {
    for (const { key, local, server } of rows) mark({ ...server, ...local, ...key }, 'failed')
    mark(argumentsOf(action), 'failed')
  }
  return marks
}

/** Returns the issue that an action was about. */
function argumentsOf(action: Failure['action']): Values | null {
  const args = action?.args
  if (typeof args !== 'object' || args === null || !('issueId' in args)) return null
  return typeof args.issueId === 'string' ? { id: args.issueId } : null
}
