import { useEffect, useMemo, useRef, useSyncExternalStore } from 'react'
import { isShallowEqual } from './rules/shallow-equal.ts'

/**
 * Answers a part of what a store shows, and renders again only where that part differs from the one before, field by
 * field.
 */
export function useSelection<Whole, Part>(
  subscribe: (listener: () => void) => () => void,
  read: () => Whole,
  readOnServer: () => Whole,
  select: (whole: Whole) => Part,
): Part {
  const shown = useRef<{ readonly part: Part } | null>(null)
  const [getPart, getPartOnServer] = useMemo(() => {
    let last: { readonly whole: Whole; readonly part: Part } | null = null
    const selectFrom = (whole: Whole): Part => {
      if (last && Object.is(last.whole, whole)) return last.part
      const picked = select(whole)
      const before = last ?? shown.current
      const part = before && isShallowEqual(before.part, picked) ? before.part : picked
      last = { whole, part }
      return part
    }
    return [() => selectFrom(read()), () => selectFrom(readOnServer())]
  }, [read, readOnServer, select])
  const part = useSyncExternalStore(subscribe, getPart, getPartOnServer)
  useEffect(() => {
    shown.current = { part }
  })
  return part
}
