import { useState } from 'react'
import type { Failure } from '../../mutations/mutation.ts'
import { type Resolution, resolvedValues, withTheirs } from '../rules/resolution.ts'
import { PLAIN_PARTS, type ReviewParts } from './review-parts.tsx'
import { VersionTable } from './version-table.tsx'

export interface FailureReviewProps extends ReviewParts {
  readonly failure: Failure
  readonly onLater: () => void
}

const time = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' })

/** One refused change: what it was, why, both versions field by field, and what to do with it. */
export function FailureReview({ failure, onLater, ...given }: FailureReviewProps) {
  const parts = { ...PLAIN_PARTS, ...given }
  const [resolution, setResolution] = useState<Resolution>({})
  const [isBusy, setIsBusy] = useState(false)
  const [fault, setFault] = useState<string | null>(null)
  const rows = withTheirs(failure)
  const row = rows.findIndex(({ op }) => op === 'update')
  const versions = rows[row]
  const canMerge = versions !== undefined && versions.server !== null && rows.length === 1

  const decide = async (what: () => Promise<unknown>) => {
    setIsBusy(true)
    try {
      await what()
      setFault(null)
    } catch (error) {
      setFault(error instanceof Error ? error.message : String(error))
    }
    setIsBusy(false)
  }
  const apply = async () => {
    if (!versions) return
    const values = resolvedValues(versions, resolution)
    if (values === 'theirs') await failure.discard()
    else if (values === 'mine') await failure.retry()
    else await failure.edit({ row, values })
  }
  return (
    <div className="tidemark-failure">
      <p>
        <parts.Attempt failure={failure} />
      </p>
      <p className="tidemark-reason">
        <parts.Reason failure={failure} /> <time dateTime={failure.at}>{time.format(new Date(failure.at))}</time>
      </p>
      {rows.map((one, index) => (
        <VersionTable
          key={JSON.stringify([one.table, one.key])}
          row={one}
          contested={failure.rejection.columns ?? []}
          resolution={canMerge && index === row ? resolution : null}
          onResolve={(column, choice) => setResolution((current) => ({ ...current, [column]: choice }))}
          parts={parts}
        />
      ))}
      {fault !== null && (
        <p className="tidemark-fault" role="alert">
          {fault}
        </p>
      )}
      <div className="tidemark-review-actions">
        <button
          type="button"
          className="tidemark-button"
          data-primary={canMerge}
          disabled={isBusy}
          onClick={() => void decide(canMerge ? apply : () => failure.retry())}
        >
          {canMerge ? 'Save this version' : 'Try again'}
        </button>
        <button
          type="button"
          className="tidemark-button"
          data-primary={!canMerge}
          disabled={isBusy}
          onClick={() => void decide(() => failure.discard())}
        >
          Let go of mine
        </button>
        <button type="button" className="tidemark-link" onClick={onLater}>
          Decide later
        </button>
      </div>
    </div>
  )
}
