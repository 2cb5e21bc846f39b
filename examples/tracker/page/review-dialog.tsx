import { useState } from 'react'
import { FailureReview } from './failure-review.tsx'
import { Modal } from './modal.tsx'
import { useFailures } from './use-failures.ts'

/** Shows refused changes, one after the other, until all are decided or put off. */
export function ReviewDialog({ onClose }: { onClose: () => void }) {
  const failures = useFailures()
  const [position, setPosition] = useState(0)
  const failure = failures[Math.min(position, failures.length - 1)]
  if (!failure) {
    return (
      <Modal title="Nothing left to decide" onClose={onClose}>
        <p className="muted">Every change of yours is with the server, or on its way.</p>
        <form method="dialog">
          <button type="submit" className="button primary">
            Close
          </button>
        </form>
      </Modal>
    )
  }
  const isConflict = failure.rejection.kind === 'conflict'
  return (
    <Modal
      title={isConflict ? 'Two versions of one field' : 'A change was refused'}
      className="review"
      onClose={onClose}
    >
      {failures.length > 1 && (
        <p className="review-position">
          <span className="count">
            {Math.min(position, failures.length - 1) + 1} of {failures.length}
          </span>
          <button type="button" className="link" onClick={() => setPosition((position + 1) % failures.length)}>
            Look at the next one
          </button>
        </p>
      )}
      <FailureReview key={failure.id} failure={failure} onLater={onClose} />
    </Modal>
  )
}
