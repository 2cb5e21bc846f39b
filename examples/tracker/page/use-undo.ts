import { useCallback, useEffect } from 'react'
import { useToast } from './toast.tsx'
import { useTracker } from './tracker-replica.ts'

export interface UndoActions {
  undo(): void
  redo(): void
}

/** Takes back the last write made here, and brings it back; also by Ctrl Z where no text is being written. */
export function useUndo(): UndoActions {
  const replica = useTracker()
  const toast = useToast()
  const run = useCallback(
    async (kind: 'undo' | 'redo') => {
      try {
        const handle = await (kind === 'undo' ? replica.undo() : replica.redo())
        if (handle === null)
          toast({ text: kind === 'undo' ? 'There is nothing to undo.' : 'There is nothing to redo.' })
      } catch (error) {
        toast({ kind: 'error', text: error instanceof Error ? error.message : String(error) })
      }
    },
    [replica, toast],
  )
  const undo = useCallback(() => void run('undo'), [run])
  const redo = useCallback(() => void run('redo'), [run])
  useEffect(() => {
    const onKeyDown = (event: KeyboardEvent) => {
      const isUndoKey = (event.ctrlKey || event.metaKey) && !event.altKey && event.key.toLowerCase() === 'z'
      if (!isUndoKey || event.defaultPrevented || isWritingText(event.target)) return
      event.preventDefault()
      if (event.shiftKey) redo()
      else undo()
    }
    window.addEventListener('keydown', onKeyDown)
    return () => window.removeEventListener('keydown', onKeyDown)
  }, [undo, redo])
  return { undo, redo }
}

/** True in a text field, which has an undo of its own. */
function isWritingText(target: EventTarget | null): boolean {
  return target instanceof Element && target.matches('textarea, input:not([type="checkbox"], [type="radio"])')
}
