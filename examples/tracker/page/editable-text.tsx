import { type KeyboardEvent, type ReactNode, useEffect, useRef, useState } from 'react'

/**
 * A text that turns into a field when it is clicked or asked for, and back when it is saved or left by Esc.
 *
 * If somebody else changes the text meanwhile, a notice appears, and saving is a decision.
 */
export function EditableText(props: {
  label: string
  value: string
  isMultiline?: boolean
  isEditing: boolean
  onEdit: (isEditing: boolean) => void
  onSave: (value: string) => Promise<unknown>
  children: ReactNode
}) {
  if (!props.isEditing) {
    return (
      <button
        type="button"
        className="editable"
        aria-label={`Edit ${props.label.toLowerCase()}`}
        onClick={() => props.onEdit(true)}
      >
        {props.children}
      </button>
    )
  }
  return <TextEditor {...props} />
}

function TextEditor(props: {
  label: string
  value: string
  isMultiline?: boolean
  onEdit: (isEditing: boolean) => void
  onSave: (value: string) => Promise<unknown>
}) {
  const { label, value, isMultiline = false, onEdit } = props
  const [draft, setDraft] = useState(value)
  const [seen] = useState(value)
  const field = useRef<HTMLTextAreaElement>(null)
  useEffect(() => {
    const element = field.current
    element?.focus()
    element?.setSelectionRange(element.value.length, element.value.length)
  }, [])
  const isOvertaken = value !== seen && value !== draft.trim()

  const save = async () => {
    const text = draft.trim()
    if (text === '' && !isMultiline) return onEdit(false)
    if (text !== value) await props.onSave(text)
    onEdit(false)
  }
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === 'Escape') {
      event.stopPropagation()
      onEdit(false)
    } else if (event.key === 'Enter' && (!isMultiline || event.ctrlKey || event.metaKey)) {
      event.preventDefault()
      void save()
    }
  }
  return (
    <form
      className="text-editor"
      onSubmit={(event) => {
        event.preventDefault()
        void save()
      }}
    >
      <textarea
        ref={field}
        className={isMultiline ? 'text-field' : 'text-field title-field'}
        aria-label={label}
        rows={isMultiline ? 6 : 1}
        value={draft}
        onChange={(event) => setDraft(isMultiline ? event.target.value : event.target.value.replaceAll('\n', ' '))}
        onKeyDown={onKeyDown}
      />
      {isOvertaken && (
        <p className="overtaken" role="alert">
          Meanwhile it has become “{value}”. Save yours all the same, or leave by Esc.
        </p>
      )}
      <p className="editor-actions">
        <button type="submit" className="button primary">
          {isOvertaken ? 'Save mine' : 'Save'}
        </button>
        <button type="button" className="button" onClick={() => onEdit(false)}>
          Cancel
        </button>
        <span className="muted">{isMultiline ? 'Ctrl Enter saves' : 'Enter saves'}</span>
      </p>
    </form>
  )
}
