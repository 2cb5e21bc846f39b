import { useEffect, useState } from 'react'
import { useFailures } from 'tidemark/react'
import { device } from './session.ts'

/** Conflicts for which the dialog has opened by itself, of which this many are remembered. */
const KEY = device === null ? 'tracker.shown-conflicts' : `tracker.shown-conflicts.${device}`
const REMEMBERED = 100

/**
 * The state of the review dialog. It opens by itself once for a conflict, in whichever visit, unless the user is writing
 * or has another dialog open; what was put off waits in the strip above the list.
 */
export function useReview(): [isOpen: boolean, setIsOpen: (isOpen: boolean) => void] {
  const failures = useFailures()
  const [isOpen, setIsOpen] = useState(false)
  useEffect(() => {
    const shown = new Set(readShown())
    const fresh = failures.filter(({ id, rejection }) => rejection.kind === 'conflict' && !shown.has(id))
    if (fresh.length === 0) return
    const ids = [...shown, ...fresh.map(({ id }) => id)]
    localStorage.setItem(KEY, JSON.stringify(ids.slice(-REMEMBERED)))
    if (!isWriting()) setIsOpen(true)
  }, [failures])
  return [isOpen, setIsOpen]
}

const readShown = (): string[] => JSON.parse(localStorage.getItem(KEY) ?? '[]')

function isWriting(): boolean {
  if (document.querySelector('dialog[open]') !== null) return true
  return document.activeElement?.matches('input:not([type="checkbox"]), textarea') === true
}
