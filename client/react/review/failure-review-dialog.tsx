import { useState } from 'react'
import { useFailures } from '../use-failures.ts'
import { FailureReview } from './failure-review.tsx'
import { ModalDialog } from './modal-dialog.tsx'
import type { ReviewParts } from './review-parts.tsx'

/** Shows refused changes, one after the other, until all are decided or put off. It has class names and no style. */
export function FailureReviewDialog({ onClose, ...parts }: ReviewParts & { readonly onClose: () => void }) {
  const failures = useFailures()
  const [position, setPosition] = useState(0)
  const shown = Math.min(position, failures.length - 1)
  const failure = failures[shown]
  if (!failure) {
    return (
      <ModalDialog title="Nothing left to decide" onClose={onClose}>
        <p className="tidemark-reason">Every change of yours is with the server, or on its way.</p>
        <form method="dialog">
          <button type="submit" className="tidemark-button" data-primary={true}>
            Close
          </button>
        </form>
      </ModalDialog>
    )
  }
  const isConflict = failure.rejection.kind === 'conflict'
  return (
    <ModalDialog
      title={isConflict ? 'Two versions of one field' : 'A change was refused'}
      className="tidemark-review"
      onClose={onClose}
    >
      {failures.length > 1 && (
        <p className="tidemark-review-position">
          <span>
            {shown + 1} of {failures.length}
          </span>
          <button type="button" className="tidemark-link" onClick={() => setPosition((position + 1) % failures.length)}>
            Look at the next one
          </button>
        </p>
      )}
      <FailureReview key={failure.id} failure={failure} onLater={onClose} {...parts} />
    </ModalDialog>
  )
}
