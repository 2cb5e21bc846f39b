import { useFailures } from 'tidemark/react'

/** Shows above the list that a change was refused and waits for a decision. */
export function FailureStrip({ onReview }: { onReview: () => void }) {
  const { length } = useFailures()
  if (length === 0) return null
  return (
    <p className="strip failure-strip" role="alert">
      <span>{length === 1 ? 'One of your changes was refused.' : `${length} of your changes were refused.`}</span>
      <button type="button" className="button" onClick={onReview}>
        Review
      </button>
    </p>
  )
}
