import { useState } from 'react'
import type { Failure } from 'tidemark/client'
import { attemptOf, reasonOf, tableName } from './failure-words.ts'
import { formatDateTime } from './format.ts'
import { type Resolution, resolvedValues, withTheirs } from './resolution.ts'
import { useLiveQuery } from './use-live-query.ts'
import { useWrite } from './use-write.ts'
import { VersionTable } from './version-table.tsx'

const SUBJECT = `
  SELECT issue.title, issue.org_id, project.key || '-' || issue.number AS reference
  FROM issue JOIN project ON project.id = issue.project_id WHERE issue.id = $1`

interface SubjectRow {
  title: string
  org_id: string
  reference: string
}

/** One refused change: what it was, why, both versions field by field, and what to do with it. */
export function FailureReview({ failure, onLater }: { failure: Failure; onLater: () => void }) {
  const subject = useLiveQuery<SubjectRow>(SUBJECT, [issueOf(failure)]).rows?.[0]
  const [resolution, setResolution] = useState<Resolution>({})
  const [isBusy, setIsBusy] = useState(false)
  const write = useWrite()
  const rows = withTheirs(failure)
  const row = rows.findIndex(({ op }) => op === 'update')
  const versions = rows[row]
  const canMerge = versions !== undefined && versions.server !== null && rows.length === 1

  const decide = async (what: () => Promise<unknown>) => {
    setIsBusy(true)
    await write(what)
    setIsBusy(false)
  }
  const apply = () =>
    decide(async () => {
      if (!versions) return
      const values = resolvedValues(versions, resolution)
      if (values === 'theirs') await failure.discard()
      else if (values === 'mine') await failure.retry()
      else await failure.edit({ row, values })
    })

  return (
    <div className="failure">
      <p>
        {attemptOf(failure)}
        {subject && (
          <>
            : <strong>{subject.reference}</strong> {subject.title}
          </>
        )}
      </p>
      <p className="muted">
        {reasonOf(failure)} <time dateTime={failure.at}>{formatDateTime(new Date(failure.at))}</time>
      </p>
      {rows.map((one, index) => (
        <VersionTable
          key={JSON.stringify([one.table, one.key])}
          row={one}
          orgId={subject?.org_id ?? null}
          contested={failure.rejection.columns ?? []}
          resolution={canMerge && index === row ? resolution : null}
          onResolve={(column, choice) => setResolution((current) => ({ ...current, [column]: choice }))}
        />
      ))}
      <div className="review-actions">
        {canMerge ? (
          <button type="button" className="button primary" disabled={isBusy} onClick={() => void apply()}>
            Save this version
          </button>
        ) : (
          <button type="button" className="button" disabled={isBusy} onClick={() => void decide(() => failure.retry())}>
            Try again
          </button>
        )}
        <button
          type="button"
          className={canMerge ? 'button' : 'button primary'}
          disabled={isBusy}
          onClick={() => void decide(() => failure.discard())}
        >
          Let go of mine
        </button>
        <button type="button" className="link" onClick={onLater}>
          Decide later
        </button>
      </div>
    </div>
  )
}

/** Returns the issue that a failure is about; empty where there is none. */
function issueOf({ rows, action }: Failure): string {
  const [first] = rows
  const args = action?.args
  if (typeof args === 'object' && args !== null && 'issueId' in args) return String(args.issueId)
  if (!first) return NO_ISSUE
  if (tableName(first.table) === 'issue') return first.key.id ?? NO_ISSUE
  return first.key.issue_id ?? first.server?.issue_id ?? first.local?.issue_id ?? NO_ISSUE
}

const NO_ISSUE = '00000000-0000-0000-0000-000000000000'
