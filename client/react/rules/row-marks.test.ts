import { expect, it } from 'vitest'
import type { Failure, MutationRecord } from '../../mutations/mutation.ts'
import { type MarkKeys, rowMarks } from './row-marks.ts'

type Part = Pick<MutationRecord, 'status' | 'writes'>

const KEYS: MarkKeys = {
  keysOf: ({ row }) => [row.id, row.issue_id],
  keysOfAction: ({ args }) => [(args as { issueId: string }).issueId],
}

const write = (after: Record<string, string>) => ({ table: 'public.issue', op: 'update', before: null, after }) as const

const marksOf = (records: readonly Part[], failures: readonly Pick<Failure, 'rows' | 'action'>[] = [], keys = KEYS) =>
  Object.fromEntries(rowMarks(records, failures, keys))

const WAITING: readonly Part[] = [
  { status: 'sent', writes: [write({ id: 'a' })] },
  { status: 'pending', writes: [write({ id: 'a' }), write({ id: 'comment', issue_id: 'b' })] },
  { status: 'confirmed', writes: [write({ id: 'c' })] },
]

it('marks what waits, and the issue of a comment that does; what is confirmed no longer', () => {
  expect(marksOf(WAITING)).toEqual({ a: 'pending', comment: 'pending', b: 'pending' })
  expect(marksOf(WAITING, [], {})).toEqual({ a: 'pending', comment: 'pending' })
})

it('marks what was refused above all else, of a patch and of an action', () => {
  const row = { table: 'public.comment', key: { id: 'comment' }, op: 'update', local: { body: 'x' } } as const
  expect(
    marksOf(
      [{ status: 'pending', writes: [write({ id: 'a' })] }],
      [
        { action: null, rows: [{ ...row, server: { id: 'comment', issue_id: 'a' } }] },
        { action: { name: 'closeIssue', args: { issueId: 'b' } }, rows: [] },
      ],
    ),
  ).toEqual({ a: 'failed', comment: 'failed', b: 'failed' })
})
