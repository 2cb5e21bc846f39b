import { type ReactNode, useEffect, useId, useRef } from 'react'

/** A dialog over the page until Esc or a click beside it: `dialog.tidemark-dialog`. */
export function ModalDialog(props: { title: string; className?: string; onClose: () => void; children: ReactNode }) {
  const dialog = useRef<HTMLDialogElement>(null)
  const titleId = useId()
  useEffect(() => {
    const opened = dialog.current
    opened?.showModal()
    return () => opened?.close()
  }, [])
  return (
    <dialog
      ref={dialog}
      className={`tidemark-dialog ${props.className ?? ''}`}
      aria-labelledby={titleId}
      // Strict mode opens it twice: the event of the first closing comes when it is open again.
      onClose={() => !dialog.current?.open && props.onClose()}
      onMouseDown={(event) => event.target === event.currentTarget && props.onClose()}
    >
      <h1 id={titleId}>{props.title}</h1>
      {props.children}
    </dialog>
  )
}
