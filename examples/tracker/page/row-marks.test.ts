import type { Failure, MutationRecord } from 'tidemark/client'
import { expect, it } from 'vitest'
import { rowMarks } from './row-marks.ts'

type Part = Pick<MutationRecord, 'status' | 'writes'>

const write = (after: Record<string, string>) => ({ table: 'public.issue', op: 'update', before: null, after }) as const

const marksOf = (records: readonly Part[], failures: readonly Pick<Failure, 'rows' | 'action'>[] = []) =>
  Object.fromEntries(rowMarks(records, failures))

it('marks what waits, and the issue of a comment that does; what is confirmed no longer', () => {
  expect(
    marksOf([
      { status: 'sent', writes: [write({ id: 'a' })] },
      { status: 'pending', writes: [write({ id: 'a' }), write({ id: 'comment', issue_id: 'b' })] },
      { status: 'confirmed', writes: [write({ id: 'c' })] },
    ]),
  ).toEqual({ a: 'pending', comment: 'pending', b: 'pending' })
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
