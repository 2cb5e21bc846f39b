import { useEffect, useRef, useState } from 'react'
import { useFailures } from 'tidemark/react'

/**
 * The state of the review dialog. It opens by itself for a new conflict, unless the user is writing or has another
 * dialog open.
 */
export function useReview(): [isOpen: boolean, setIsOpen: (isOpen: boolean) => void] {
  const failures = useFailures()
  const [isOpen, setIsOpen] = useState(false)
  const known = useRef(new Set<string>())
  useEffect(() => {
    const fresh = failures.filter(({ id }) => !known.current.has(id))
    for (const { id } of fresh) known.current.add(id)
    if (fresh.some(({ rejection }) => rejection.kind === 'conflict') && !isWriting()) setIsOpen(true)
  }, [failures])
  return [isOpen, setIsOpen]
}

function isWriting(): boolean {
  if (document.querySelector('dialog[open]') !== null) return true
  return document.activeElement?.matches('input:not([type="checkbox"]), textarea') === true
}
