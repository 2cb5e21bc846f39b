import { useDeferredValue, useEffect, useState } from 'react'
import { useLiveQuery } from 'tidemark/react'
import { formatCount } from './format.ts'
import { type IssueFilter, type IssueListRow, issueCountQuery, issueListQuery, NO_FILTER } from './issue-query.ts'
import { IssueRow } from './issue-row.tsx'
import { useNow } from './use-now.ts'

const PAGE = 60

export function IssueList(props: { filter: IssueFilter; selected: string | null; onReset: () => void }) {
  const filter = useDeferredValue(props.filter)
  const [limit, setLimit] = useState(PAGE)
  // biome-ignore lint/correctness/useExhaustiveDependencies: another filter starts at its first page.
  useEffect(() => setLimit(PAGE), [filter])
  const list = issueListQuery(filter, limit)
  const counted = issueCountQuery(filter)
  const { rows, error } = useLiveQuery<IssueListRow>(list.text, list.params)
  const total = useLiveQuery<{ count: number }>(counted.text, counted.params).rows?.[0]?.count
  const nowMs = useNow(30_000)

  if (error !== null)
    return (
      <p className="blank" role="alert">
        The list cannot be shown: {error.message}
      </p>
    )
  if (rows === null) return <p className="blank waiting">Reading the replica…</p>
  if (rows.length === 0) return isNarrowed(filter) ? <NothingFound onReset={props.onReset} /> : <NothingHere />
  return (
    <div className="issue-scroll">
      <ul className="issue-list" aria-label="Issues">
        {rows.map((row) => (
          <IssueRow key={row.id} row={row} isSelected={row.id === props.selected} nowMs={nowMs} />
        ))}
      </ul>
      <p className="list-end">
        {total !== undefined && `${formatCount(Math.min(limit, total))} of ${formatCount(total)} issues`}
        {total !== undefined && limit < total && (
          <button type="button" className="button" onClick={() => setLimit(limit + 2 * PAGE)}>
            Show more
          </button>
        )}
      </p>
    </div>
  )
}

/** True where the filter narrows the list by more than the organisation. */
function isNarrowed(filter: IssueFilter): boolean {
  const { organizationId, sort } = filter
  return JSON.stringify({ ...NO_FILTER, organizationId, sort }) !== JSON.stringify({ ...NO_FILTER, ...filter })
}

function NothingHere() {
  return (
    <div className="blank">
      <p>No issue is open.</p>
    </div>
  )
}

function NothingFound({ onReset }: { onReset: () => void }) {
  return (
    <div className="blank">
      <p>No issue matches these filters.</p>
      <button type="button" className="button" onClick={onReset}>
        Clear filters
      </button>
    </div>
  )
}
