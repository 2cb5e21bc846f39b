import type { FailedRow, Failure } from 'tidemark/client'
import { FailureReviewDialog, type ReviewParts, useLiveQuery, type ValueProps } from 'tidemark/react'
import { ACTIVITY, type ActivityRow, activitySentence } from './activity-query.ts'
import { attemptOf, fieldWord, reasonOf, tableName } from './failure-words.ts'
import { FieldEditor, FieldValue, isEditableField } from './field-value.tsx'
import { issueOf } from './issue-marks.ts'

const SUBJECT = `
  SELECT issue.title, project.key || '-' || issue.number AS reference
  FROM issue JOIN project ON project.id = issue.project_id WHERE issue.id = $1`

interface SubjectRow {
  title: string
  reference: string
}

/** Columns that mean nothing to people. */
const SILENT = new Set(['id', 'org_id', 'issue_id', 'creator_id', 'author_id', 'user_id', 'label_id'])
const TIMES = /_at$/

const PARTS: ReviewParts = {
  Attempt,
  Reason,
  Value: ({ column, value }) => <FieldValue column={column} value={value} />,
  Editor: ({ row, ...props }: ValueProps & { onChange: (value: string | null) => void }) => (
    <FieldEditor orgId={organizationOf(row)} {...props} />
  ),
  columnWord: fieldWord,
  isShown: (column) => !SILENT.has(column) && !TIMES.test(column),
  isEditable: isEditableField,
}

/** Shows refused changes in the tracker's words. */
export function ReviewDialog({ onClose }: { onClose: () => void }) {
  return <FailureReviewDialog onClose={onClose} {...PARTS} />
}

function Attempt({ failure }: { failure: Failure }) {
  const subject = useLiveQuery<SubjectRow>(SUBJECT, [subjectOf(failure)]).rows?.[0]
  return (
    <>
      {attemptOf(failure)}
      {subject && (
        <>
          : <strong>{subject.reference}</strong> {subject.title}
        </>
      )}
    </>
  )
}

/** Names who wrote what stands in the way, where the activity of the issue knows that. */
function Reason({ failure }: { failure: Failure }) {
  const events = useLiveQuery<ActivityRow>(ACTIVITY, [subjectOf(failure)]).rows ?? []
  const event = events.findLast((one) => isContested(one, failure))
  if (!event) return reasonOf(failure)
  return `${event.actor ?? 'A former member'} ${activitySentence(event)} before this arrived.`
}

/** Tells whether this is the change of theirs by which a conflict came about. */
function isContested({ kind, value }: ActivityRow, { rejection, rows }: Failure): boolean {
  if (rejection.kind !== 'conflict' || kind === 'assignee') return false
  return rejection.columns?.includes(kind) === true && rows.some(({ server }) => server?.[kind] === value)
}

const organizationOf = ({ server, local }: FailedRow) => server?.org_id ?? local?.org_id ?? null

/** Returns the issue that a failure is about; one that does not exist where there is none. */
function subjectOf({ rows, action }: Failure): string {
  const [first] = rows
  const named = issueOf(action?.args)
  if (named !== null) return named
  if (!first) return NO_ISSUE
  if (tableName(first.table) === 'issue') return first.key.id ?? NO_ISSUE
  return first.key.issue_id ?? first.server?.issue_id ?? first.local?.issue_id ?? NO_ISSUE
}

const NO_ISSUE = '00000000-0000-0000-0000-000000000000'
