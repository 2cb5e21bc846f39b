const rowsOfList = () => [...document.querySelectorAll<HTMLElement>('.issue-row')]

/** Moves the focus to the row `step` below the one in focus, or below the open one, or to the first. */
export function moveInList(step: 1 | -1): void {
  const rows = rowsOfList()
  const focused = rows.findIndex((row) => row.matches(':focus'))
  const current = focused >= 0 ? focused : rows.findIndex((row) => row.ariaCurrent === 'true')
  const next = current < 0 ? rows[0] : rows[current + step]
  next?.focus({ preventScroll: true })
  next?.scrollIntoView({ block: 'nearest' })
}

/**
 * Tells whether the arrows belong to the list: while the focus is in it or nowhere. Elsewhere they scroll or choose.
 */
export function hasListFocus(): boolean {
  const focused = document.activeElement
  return focused === null || focused === document.body || focused.closest('.issue-list') !== null
}

/** Returns the focus to the row of an issue that was open, unless it has gone elsewhere meanwhile. */
export function focusRowOf(issueId: string): void {
  if (document.activeElement !== null && document.activeElement !== document.body) return
  rowsOfList()
    .find((row) => row.getAttribute('href') === `#${issueId}`)
    ?.focus()
}
