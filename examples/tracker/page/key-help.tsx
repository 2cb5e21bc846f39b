import { useEffect, useRef } from 'react'

const KEYS: readonly { readonly keys: readonly string[]; readonly does: string }[] = [
  { keys: ['j', '↓'], does: 'Next issue' },
  { keys: ['k', '↑'], does: 'Previous issue' },
  { keys: ['Enter'], does: 'Open the issue in focus' },
  { keys: ['Esc'], does: 'Close the issue, leave the search' },
  { keys: ['/'], does: 'Search' },
  { keys: ['?'], does: 'Show these keys' },
]

/** The keys, over the page until Esc or a click beside them. */
export function KeyHelp({ onClose }: { onClose: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null)
  useEffect(() => {
    const opened = dialog.current
    opened?.showModal()
    return () => opened?.close()
  }, [])
  return (
    <dialog
      ref={dialog}
      className="card key-help"
      aria-labelledby="key-help"
      onClose={onClose}
      onMouseDown={(event) => event.target === event.currentTarget && onClose()}
    >
      <h1 id="key-help">Keys</h1>
      <dl>
        {KEYS.map(({ keys, does }) => (
          <div key={does}>
            <dt>
              {keys.map((key) => (
                <kbd key={key}>{key}</kbd>
              ))}
            </dt>
            <dd>{does}</dd>
          </div>
        ))}
      </dl>
      <form method="dialog">
        <button type="submit" className="button">
          Close
        </button>
      </form>
    </dialog>
  )
}
