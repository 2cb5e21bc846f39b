import { ModalDialog } from 'tidemark/react'

const KEYS: readonly { readonly keys: readonly string[]; readonly does: string }[] = [
  { keys: ['j', '↓'], does: 'Next issue' },
  { keys: ['k', '↑'], does: 'Previous issue' },
  { keys: ['Enter'], does: 'Open the issue in focus' },
  { keys: ['Esc'], does: 'Close the issue, leave what is being edited' },
  { keys: ['c'], does: 'New issue' },
  { keys: ['e'], does: 'Edit the title of the open issue' },
  { keys: ['m'], does: 'Write a comment' },
  { keys: ['b'], does: 'List or board' },
  { keys: ['Space', '← →'], does: 'On the board: pick up, choose a state, put down' },
  { keys: ['Ctrl', 'Z'], does: 'Undo; with Shift, do it again' },
  { keys: ['f'], does: 'What happened, and who did it' },
  { keys: ['l'], does: 'Mutation log' },
  { keys: ['d'], does: 'Debug panel of the replica' },
  { keys: ['/'], does: 'Search' },
  { keys: ['?'], does: 'Show these keys' },
]

/** The keys, over the page until Esc or a click beside them. */
export function KeyHelp({ onClose }: { onClose: () => void }) {
  return (
    <ModalDialog title="Keys" className="key-help" onClose={onClose}>
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
    </ModalDialog>
  )
}
