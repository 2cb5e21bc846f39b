import type { MarkKeys } from 'tidemark/react'

/** What is written to the labels, comments and notes of an issue marks the issue too. */
export const ISSUE_MARKS: Required<MarkKeys> = {
  keysOf: ({ row }) => [row.id, row.issue_id],
  keysOfAction: ({ args }) => [issueOf(args)],
}

/** Returns the issue that an action's arguments name; null where they name none. */
export function issueOf(args: unknown): string | null {
  if (typeof args !== 'object' || args === null || !('issueId' in args)) return null
  return typeof args.issueId === 'string' ? args.issueId : null
}
