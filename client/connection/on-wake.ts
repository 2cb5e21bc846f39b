/** Calls back when the network returns or the page is shown again; does nothing where there is no page. */
export function onWake(wake: () => void): () => void {
  if (typeof document === 'undefined' || typeof addEventListener !== 'function') return () => undefined
  const shown = () => {
    if (document.visibilityState === 'visible') wake()
  }
  addEventListener('online', wake)
  document.addEventListener('visibilitychange', shown)
  return () => {
    removeEventListener('online', wake)
    document.removeEventListener('visibilitychange', shown)
  }
}
