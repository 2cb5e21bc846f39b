import { useCallback, useState } from 'react'

export type View = 'list' | 'board'

const STORAGE_KEY = 'tracker.view'

/** The chosen layout of issues, remembered in this browser. */
export function useView(): [View, (view: View) => void] {
  const [view, setView] = useState<View>(() => (localStorage.getItem(STORAGE_KEY) === 'board' ? 'board' : 'list'))
  const choose = useCallback((next: View) => {
    localStorage.setItem(STORAGE_KEY, next)
    setView(next)
  }, [])
  return [view, choose]
}
