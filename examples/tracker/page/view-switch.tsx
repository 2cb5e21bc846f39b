import type { View } from './use-view.ts'

export function ViewSwitch(props: { view: View; onChange: (view: View) => void; onNew: () => void }) {
  const button = (view: View, name: string) => (
    <button type="button" aria-pressed={props.view === view} onClick={() => props.onChange(view)}>
      {name}
    </button>
  )
  return (
    <div className="view-bar">
      <fieldset className="view-switch" title="List or board (b)">
        <legend className="visually-hidden">Layout</legend>
        {button('list', 'List')}
        {button('board', 'Board')}
      </fieldset>
      <button type="button" className="button primary" aria-keyshortcuts="c" onClick={props.onNew}>
        New issue
      </button>
    </div>
  )
}
