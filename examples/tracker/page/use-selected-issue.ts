import { useCallback, useEffect, useState } from 'react'

const UUID = /^#([0-9a-f-]{36})$/

const readHash = () => UUID.exec(window.location.hash)?.[1] ?? null

/** The issue that the address names, so that a reload and the back button keep it. */
export function useSelectedIssue(): [string | null, (id: string | null) => void] {
  const [selected, setSelected] = useState(readHash)
  useEffect(() => {
    const onHashChange = () => setSelected(readHash())
    window.addEventListener('hashchange', onHashChange)
    return () => window.removeEventListener('hashchange', onHashChange)
  }, [])
  const select = useCallback((id: string | null) => {
    window.location.hash = id ?? ''
  }, [])
  return [selected, select]
}
