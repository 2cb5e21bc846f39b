import { type FormEvent, type RefObject, useState } from 'react'

/** A field for a new text, or for one that is edited; Ctrl Enter sends it. */
export function TextComposer(props: {
  label: string
  submit: string
  initial?: string
  field?: RefObject<HTMLTextAreaElement | null>
  onSubmit: (text: string) => Promise<boolean>
  onCancel?: () => void
}) {
  const [text, setText] = useState(props.initial ?? '')
  const send = async () => {
    if (text.trim() === '') return
    if (await props.onSubmit(text.trim())) setText('')
  }
  const onSubmit = (event: FormEvent) => {
    event.preventDefault()
    void send()
  }
  return (
    <form className="text-editor" onSubmit={onSubmit}>
      <textarea
        ref={props.field}
        className="text-field"
        aria-label={props.label}
        placeholder={props.label}
        rows={2}
        // biome-ignore lint/a11y/noAutofocus: what is edited was asked for.
        autoFocus={props.initial !== undefined}
        value={text}
        onChange={(event) => setText(event.target.value)}
        onKeyDown={(event) => {
          if (event.key === 'Escape') {
            event.preventDefault()
            event.currentTarget.blur()
            props.onCancel?.()
          } else if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) {
            event.preventDefault()
            void send()
          }
        }}
      />
      {(text !== '' || props.onCancel) && (
        <p className="editor-actions">
          <button type="submit" className="button primary" disabled={text.trim() === ''}>
            {props.submit}
          </button>
          {props.onCancel && (
            <button type="button" className="button" onClick={props.onCancel}>
              Cancel
            </button>
          )}
          <span className="muted">Ctrl Enter</span>
        </p>
      )}
    </form>
  )
}
